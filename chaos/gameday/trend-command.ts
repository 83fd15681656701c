/** `firedrill gameday trend`: the newest run's regressions against the runs before it. */
import {
  coverageFile,
  coverageSummary,
  readCoverage,
  regressionsOf,
} from '../../alerts/coverage/index.js';
import { exitCode, UserError } from '../../base/errors.js';
import { formatTable } from '../../base/terminal.js';

export interface TrendOptions {
  state: string;
  system?: string;
  format: string;
}

const shownRuns = 10;

/** Returns 1 if there is a regression. */
export function trendCommand(options: TrendOptions): number {
  if (options.format !== 'text' && options.format !== 'json') {
    throw new UserError({ message: `bad --format '${options.format}'`, expected: 'text or json' });
  }
  const all = readCoverage(options.state);
  const system = options.system ?? all.at(-1)?.system ?? '';
  const runs = all.filter((r) => r.system === system);
  if (runs.length === 0) {
    throw new UserError({
      message: `${coverageFile(options.state)}: no run is kept${system === '' ? '' : ` of ${system}`}`,
      expected: 'a game day first: firedrill gameday run',
    });
  }
  const regressions = regressionsOf(runs, system);
  if (options.format === 'json') {
    const shown = runs.map(({ alerts, ...run }) => ({
      ...run,
      proven: alerts.filter((a) => a.state === 'proven').length,
      alerts: alerts.length,
    }));
    process.stdout.write(`${JSON.stringify({ system, runs: shown, regressions }, undefined, 2)}\n`);
  } else {
    const rows = runs
      .slice(-shownRuns)
      .map((r) => [r.run, r.scenarios.join(', '), coverageSummary(r.alerts)]);
    process.stdout.write(`${system}\n${formatTable(['RUN', 'SCENARIOS', 'PROVEN'], rows)}\n`);
    for (const { alert, severity, text } of regressions) {
      process.stdout.write(`regression: ${alert} (${severity}) ${text}\n`);
    }
    if (regressions.length === 0) {
      const one = runs.length === 1 ? 'one run: nothing to compare it with' : 'no regression';
      process.stdout.write(`${one}\n`);
    }
  }
  return regressions.length > 0 ? exitCode.failed : exitCode.ok;
}
