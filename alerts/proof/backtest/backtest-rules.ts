/** Backtests any rule files (`--rules`) over measured data. */
import { UserError } from '../../../base/errors.js';
import { Progress } from '../../../base/terminal.js';
import { checkExpr } from '../../rules/engine.js';
import { readRuleFiles } from '../../rules/read.js';
import type { BacktestFlags } from './flags.js';
import { hasFiles, historyFrom, incidentsWithin } from './history.js';
import { recordRules } from './record.js';
import { alertRules } from './rules.js';
import { rulesComplaints, rulesText, scoreRules } from './rules-score.js';

export async function backtestRules(
  flags: BacktestFlags,
  files: string[],
  stepMs: number,
): Promise<boolean> {
  if (flags.tune || flags.writeBack || flags.html !== undefined) {
    throw new UserError({
      message: '--tune, --write-back and --html with --rules',
      expected: 'SLOs',
    });
  }
  if (flags.prometheus === undefined && !hasFiles(flags)) {
    const expected = '--prometheus, --openmetrics, --csv or --remote-write';
    throw new UserError({ message: 'rules need measured data', expected });
  }
  const groups = readRuleFiles(files, { checkExpr });
  const progress = new Progress();
  const history = historyFrom(flags, stepMs, (text) => progress.update(text));
  const { ask, span, store } = history;
  const incidents = incidentsWithin(flags.incidents, span, (text) => progress.line(text));
  // A Prometheus has already recorded the rules itself.
  if (store) await recordRules(groups, store, ask, span);
  const results = await alertRules(groups, ask, span);
  progress.clear();
  const score = scoreRules(results, incidents);
  const weeks = (span.endMs - span.startMs) / 604_800_000;
  if (flags.format === 'json') {
    const answer = { source: history.text, results, score };
    process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  } else {
    process.stdout.write(`${history.text}\n\n${rulesText(results, score, weeks, span.endMs)}`);
  }
  if (!flags.fail) return true;
  const problems = rulesComplaints(score);
  for (const problem of problems) progress.line(problem);
  return problems.length === 0;
}
