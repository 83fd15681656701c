/** Turns the record of a game day into a report and a machine-readable verdict: `firedrill/report`. */
import { gameDayFiles, readRecord, resultOf } from 'firedrill/report';

const record = readRecord(process.argv[2] ?? 'gameday-report/record.json');
const { verdict, scenarios } = resultOf(record);
process.stdout.write(`${verdict}: ${scenarios.map((s) => `${s.id} ${s.verdict}`).join(', ')}\n`);
for (const [name, text] of gameDayFiles(record))
  process.stdout.write(`${name}: ${text.length} characters\n`);
