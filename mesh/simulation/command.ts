/** Replays an incident with each variant, and prints the results. */
import { UserError } from '../../base/errors.js';
import { Progress } from '../../base/terminal.js';
import { simulate } from './run.js';
import { readIncident } from './spec.js';
import { summarize, summaryTable, timelineTable } from './summary.js';

export interface Flags {
  seed?: string;
  timeline?: boolean;
  format: string;
}

export function replay(file: string, flags: Flags): void {
  const incident = readIncident(file);
  if (flags.seed !== undefined) {
    if (!/^\d{1,9}$/.test(flags.seed)) {
      throw new UserError({ message: `--seed ${flags.seed}`, expected: 'a whole number' });
    }
    incident.seed = Number(flags.seed);
  }
  const progress = new Progress();
  const runs = incident.compare.map((variant) => {
    progress.update(`${variant.name} …`);
    const run = simulate(incident, variant);
    return { name: variant.name, run, summary: summarize(run, incident) };
  });
  progress.clear();
  if (flags.format === 'json') {
    const variants = runs.map(({ name, run, summary }) => ({
      name,
      ...summary,
      seconds: run.seconds,
    }));
    process.stdout.write(`${JSON.stringify({ seed: incident.seed, variants }, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${summaryTable(runs)}\n`);
  for (const { name, run } of flags.timeline ? runs : []) {
    process.stdout.write(`\n${timelineTable(name, run)}\n`);
  }
}
