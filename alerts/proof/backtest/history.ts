/** Opens measured data in files or in a Prometheus: the query function and the span. */
import { join } from 'node:path';
import { splitAddress } from '../../../base/access.js';
import { realClock } from '../../../base/clock.js';
import { parseDurationMs } from '../../../base/duration.js';
import { UserError } from '../../../base/errors.js';
import { cacheFolder } from '../../../base/paths.js';
import { readTimeMs } from '../../../base/time-text.js';
import type { MemoryStore } from '../../../slo/promql/index.js';
import { QueryEngine } from '../../rules/engine.js';
import { DataFiles } from './data-files.js';
import type { BacktestFlags } from './flags.js';
import { type Incident, readStory } from './incidents.js';
import { historyOf } from './history-api.js';
import type { AskRange, Span } from './measure.js';
import { readRemoteWrite } from './remote-write.js';

export const hasFiles = (flags: BacktestFlags): boolean =>
  [flags.openmetrics, flags.csv, flags.remoteWrite].some((f) => f !== undefined);

/** Measured series and the span to look at. */
export interface History {
  ask: AskRange;
  span: Span;
  text: string;
  /** The store that holds the files' series; absent for a Prometheus. */
  store?: MemoryStore;
}

export function historyFrom(
  flags: BacktestFlags,
  stepMs: number,
  say: (text: string) => void,
): History {
  if (flags.prometheus !== undefined) {
    const nowMs = realClock.nowMs();
    const toMs = flags.to === undefined ? nowMs : timeOf('--to', flags.to, nowMs);
    const span = spanOf(timeOf('--from', flags.from, toMs), toMs, stepMs);
    const folder = flags.cache ?? join(cacheFolder(), 'backtest');
    const ask = historyOf({ url: flags.prometheus, folder, clock: realClock, onProgress: say });
    return { ask, span, text: `${spanText(span)} of ${splitAddress(flags.prometheus).url}` };
  }
  const data = new DataFiles();
  for (const file of flags.openmetrics ?? []) data.readOpenMetrics(file);
  for (const file of flags.csv ?? []) data.readCsv(file);
  for (const path of flags.remoteWrite ?? []) readRemoteWrite(path, data);
  const names = [flags.openmetrics, flags.csv, flags.remoteWrite].flatMap((list) => list ?? []);
  if (!data.range) throw new UserError(`${names.join(', ')}: no samples`);
  const endMs = data.range.endMs + stepMs;
  const toMs = flags.to === undefined ? endMs : timeOf('--to', flags.to, endMs);
  const fromMs = timeOf('--from', flags.from, toMs);
  const span = spanOf(Math.max(fromMs, data.range.startMs), toMs, stepMs);
  const engine = new QueryEngine(data.store, { subqueryStepMs: stepMs });
  return {
    ask: (expr, startMs, end, step) => engine.range(expr, startMs, end, step),
    span,
    text: `${spanText(span)} of ${names.join(', ')}`,
    store: data.store,
  };
}

/**
 * The incidents of a file that the history holds, at least in part. An incident outside would count as missed, so it is
 * left out and told; throws a UserError if all are outside.
 */
export function incidentsWithin(
  file: string | undefined,
  { startMs, endMs }: Span,
  say: (text: string) => void,
): Incident[] {
  const { incidents } = file === undefined ? { incidents: [] } : readStory(file);
  const inside = incidents.filter((i) => i.startMs < endMs && i.endMs > startMs);
  const outside = incidents.filter((i) => !inside.includes(i));
  if (outside.length === 0) return inside;
  const names = outside.map((i) => `${i.name} (${new Date(i.startMs).toISOString().slice(0, 16)})`);
  const message = `outside of the history, ${spanText({ startMs, endMs })}: ${names.join(', ')}`;
  if (inside.length > 0) {
    say(message);
    return inside;
  }
  throw new UserError({ message: `${file}: ${message}`, expected: 'another start or --from' });
}

/** Rounds to whole steps, so that repeated downloads ask for the same chunks. */
function spanOf(fromMs: number, toMs: number, stepMs: number) {
  const startMs = Math.ceil(fromMs / stepMs) * stepMs;
  const endMs = Math.ceil(toMs / stepMs) * stepMs;
  if (endMs - startMs < 2 * stepMs) {
    throw new UserError({
      message: '--from is not before --to',
      expected: 'a span',
    });
  }
  return { startMs, endMs, stepMs };
}

export const spanText = (span: { startMs: number; endMs: number }): string =>
  `${new Date(span.startMs).toISOString().slice(0, 16)} to ${new Date(span.endMs).toISOString().slice(0, 16)} UTC`;

/** Reads a time, or a duration before the end. */
export function timeOf(flag: string, text: string, endMs: number): number {
  const before = parseDurationMs(text);
  if (before !== undefined) return endMs - before;
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : readTimeMs(text);
  if (!Number.isNaN(ms)) return ms;
  throw new UserError({
    message: `${flag} ${text}`,
    expected: 'a time, or a duration such as 30d',
  });
}
