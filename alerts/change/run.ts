/** `firedrill alerts diff`: reads both sides and the history, compares them, and writes the report. */
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { Progress } from '../../base/terminal.js';
import {
  type EngineOptions,
  Labels,
  type Matcher,
  MemoryStore,
  type Series,
  type Store,
} from '../../slo/promql/index.js';
import { writeAll } from '../../slo/rules/write-files.js';
import type { BacktestFlags } from '../proof/backtest/flags.js';
import { historyFrom, incidentsWithin } from '../proof/backtest/history.js';
import type { AskRange } from '../proof/backtest/measure.js';
import { recordRules } from '../proof/backtest/record.js';
import { QueryEngine } from '../rules/engine.js';
import { type ChangeReport, compare } from './compare.js';
import { readSide, type Side } from './side.js';
import { reportMarkdown, reportText } from './words.js';

export interface DiffFlags {
  history?: string[];
  prometheus?: string;
  from: string;
  to?: string;
  step: string;
  incidents?: string;
  format: string;
  out: string;
  fail?: boolean;
}

const writers: Record<string, (report: ChangeReport) => string> = {
  text: reportText,
  markdown: reportMarkdown,
  json: (report) => `${JSON.stringify(report, undefined, 2)}\n`,
};

export async function runDiff(old: string, now: string, flags: DiffFlags): Promise<void> {
  const write = writers[flags.format];
  if (!write) {
    const expected = Object.keys(writers).join(', ');
    throw new UserError({ message: `--format ${flags.format}`, expected });
  }
  const stepMs = parseDurationMs(flags.step);
  if (!stepMs) throw new UserError({ message: `--step ${flags.step}`, expected: 'such as 1m' });
  const [before, after] = [readSide(old), readSide(now)];
  const progress = new Progress();
  const say = (text: string): void => progress.update(text);
  const note = (text: string): void => progress.line(text);
  const report = await diffOf(before, after, { ...flags, stepMs, say, note });
  progress.clear();
  writeAll(flags.out, true, new Map([['change', write(report)]]));
  const lost = report.incidents.filter((i) => i.verdict === 'lost');
  for (const { name } of flags.fail ? lost : []) progress.line(`'${name}' would be lost`);
  if (flags.fail && lost.length > 0) process.exitCode = exitCode.failed;
}

interface DiffOptions extends DiffFlags {
  stepMs: number;
  say: (text: string) => void;
  /** Prints a line that stays. */
  note: (text: string) => void;
}

async function diffOf(before: Side, after: Side, options: DiffOptions): Promise<ChangeReport> {
  const { stepMs, say } = options;
  const history = historyFrom(historyFlags(options), stepMs, say);
  const { span, store, text } = history;
  const incidents = incidentsWithin(options.incidents, span, options.note);
  const asks = new Map<string, AskRange>();
  const ask = async (side: 'old' | 'new'): Promise<AskRange> => {
    // A Prometheus has already recorded its own rules.
    if (!store) return history.ask;
    const { groups, records } = side === 'old' ? before : after;
    let found = asks.get(records);
    if (!found) {
      const layered = new LayeredStore(store);
      const engine = new QueryEngine(layered, engineOptions(stepMs));
      found = (expr, startMs, endMs, step) => engine.range(expr, startMs, endMs, step);
      say(`recording rules of ${side === 'old' ? before.path : after.path}`);
      await recordRules(groups, layered.own, found, span);
      asks.set(records, found);
    }
    return found;
  };
  return compare({ before, after, ask, span, source: text, incidents, say });
}

const engineOptions = (stepMs: number): EngineOptions => ({ subqueryStepMs: stepMs });

function historyFlags({ history = [], prometheus, from, to, step }: DiffOptions): BacktestFlags {
  if (history.length > 0 === (prometheus !== undefined)) {
    const expected = 'either --history (OpenMetrics or CSV files) or --prometheus';
    throw new UserError({ message: 'no history to compare over', expected });
  }
  const [csv, openmetrics] = [true, false].map((is) =>
    history.filter((f) => f.endsWith('.csv') === is),
  );
  return {
    from,
    step,
    format: 'text',
    ...(to === undefined ? {} : { to }),
    ...(prometheus === undefined ? {} : { prometheus }),
    ...(csv?.length ? { csv } : {}),
    ...(openmetrics?.length ? { openmetrics } : {}),
  };
}

/** The series that one side records, layered over a history that both sides share. */
class LayeredStore implements Store {
  readonly own = new MemoryStore();
  readonly #below: MemoryStore;

  constructor(below: MemoryStore) {
    this.#below = below;
  }

  select(matchers: readonly Matcher[], fromMs: number, toMs: number): readonly Series[] {
    const own = this.own.select(matchers, fromMs, toMs);
    const below = this.#below.select(matchers, fromMs, toMs);
    if (own.length === 0) return below;
    if (below.length === 0) return own;
    // Series recorded here replace those that the history holds under the same labels.
    const keys = new Set(own.map((s) => s.labels.key));
    const all = [...own, ...below.filter((s) => !keys.has(s.labels.key))];
    return all.sort((a, b) => Labels.compare(a.labels, b.labels));
  }
}
