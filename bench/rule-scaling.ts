/**
 * Do rule files from elsewhere fire the same at a time scale as without? `node dist/bench/rule-scaling.js FILES...`
 * prints a table with each file's alerts that fired alike (by this engine and by promtool), differed, or are not
 * compared. Rule files within Markdown and Jsonnet are not read; unreadable files are named.
 */
import { messageOf } from '../base/errors.js';
import { formatTable } from '../base/terminal.js';
import { proveScaling, readRules } from '../alerts/scale/index.js';

const timeScale = 1 / 60;
const seeds = [1, 2, 3];

const files = process.argv.slice(2);
if (files.length === 0)
  throw new Error('no rule files given: node dist/bench/rule-scaling.js FILES...');
const rows: string[][] = [];
for (const file of files) {
  try {
    const read = readRules([file]);
    const fired = new Set<string>();
    const differing = new Set<string>();
    let [promtool, excluded, alerts] = ['not here', 0, 0];
    for (const seed of seeds) {
      const proof = await proveScaling(read, { timeScale, seed });
      for (const name of proof.fired) fired.add(name);
      for (const name of proof.differing) differing.add(name);
      excluded = proof.excluded;
      alerts = proof.fired.length + proof.silent + proof.differing.length + proof.excluded;
      if (proof.promtool !== undefined && promtool !== 'differs') {
        promtool = proof.promtool === 'equal' ? 'equal' : 'differs';
        if (promtool === 'differs') process.stderr.write(`${file}: ${proof.promtool}\n`);
      }
    }
    const numbers = [alerts, fired.size, differing.size, excluded].map(String);
    rows.push([file.split('/').slice(-2).join('/'), ...numbers, promtool]);
    for (const name of differing) process.stderr.write(`${file}: ${name} fires otherwise\n`);
  } catch (error) {
    rows.push([file.split('/').slice(-2).join('/'), '-', '-', '-', '-', 'not read']);
    process.stderr.write(`${file}: ${messageOf(error).split('\n')[0]}\n`);
  }
}
const head = ['FILE', 'ALERTS', 'FIRED ALIKE', 'DIFFER', 'NOT COMPARED', 'PROMTOOL'];
process.stdout.write(`${formatTable(head, rows)}\n`);
