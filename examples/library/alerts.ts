/** Prints the built-in alerts as rules with your own runbook links: `firedrill/alerts`. */
import { alertNames, libraryGroups } from 'firedrill/alerts';
import { ruleFileText } from 'firedrill/slo';

const groups = libraryGroups({ owner: 'team-mesh', runbookBase: 'https://runbooks.example.com' });
process.stdout.write(ruleFileText(groups));
process.stderr.write(`${Object.keys(alertNames).length} alerts\n`);
