/** `firedrill promql query`: runs a query over files, or in a Prometheus. */
import { exitCode, UserError } from '../../base/errors.js';
import { parseDurationMs } from '../../base/duration.js';
import { parseTimeMs } from './data/csv.js';
import { readSampleFiles } from './data/read-files.js';
import { askPrometheus } from './data/remote.js';
import { resultCsv, resultJson, resultText, type ResultValue } from './data/results.js';
import { type Annotation, annotationText } from './engine/annotations.js';
import { evaluateInstant, evaluateRange } from './engine/query.js';
import type { EngineOptions } from './engine/options.js';
import { asUserError } from './syntax/error.js';
import { parse } from './syntax/parse.js';

export interface QueryFlags {
  input?: string[];
  prometheus?: string;
  at?: string;
  from?: string;
  to?: string;
  step?: string;
  lookback: string;
  format: 'text' | 'json' | 'csv';
}

export async function runQuery(query: string, flags: QueryFlags): Promise<void> {
  const write = writers[flags.format];
  if ((flags.input === undefined) === (flags.prometheus === undefined)) {
    throw new UserError({
      message: 'no samples to query',
      expected: 'either --input or --prometheus',
    });
  }
  try {
    parse(query);
  } catch (error) {
    throw asUserError(query, error);
  }
  const { result, warnings } = flags.input
    ? fromFiles(query, flags.input, flags)
    : await askPrometheus(flags.prometheus as string, query, timesOf(flags, undefined));
  process.stdout.write(write(result));
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
  if (isEmpty(result)) process.stderr.write('no series: nothing matches at that time\n');
}

const writers: Record<QueryFlags['format'], (result: ResultValue) => string> = {
  text: resultText,
  csv: resultCsv,
  json: (result) =>
    `${JSON.stringify({ status: 'success', data: resultJson(result) }, undefined, 2)}\n`,
};

function isEmpty(result: ResultValue): boolean {
  if (result.type === 'vector') return result.samples.length === 0;
  return (result.type === 'range' || result.type === 'matrix') && result.series.length === 0;
}

export interface QueryTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** Step of a range query in milliseconds; absent: an instant query at `endMs`. */
  readonly stepMs?: number;
}

function timesOf(
  flags: QueryFlags,
  known: { fromMs: number; toMs: number } | undefined,
): QueryTimes {
  const time = (text: string | undefined, name: string, otherwise: number): number => {
    if (text === undefined) return otherwise;
    const ms = parseTimeMs(text);
    if (ms !== undefined) return ms;
    throw new UserError({
      message: `--${name} ${text}`,
      expected: 'seconds since 1970, or a date',
    });
  };
  const now = known?.toMs ?? Date.now();
  if (flags.step === undefined && flags.from === undefined) {
    const at = time(flags.at ?? flags.to, 'at', now);
    return { startMs: at, endMs: at };
  }
  const endMs = time(flags.to, 'to', now);
  const startMs = time(flags.from, 'from', known?.fromMs ?? endMs - 3_600_000);
  const stepMs = parseDurationMs(flags.step ?? '1m');
  if (stepMs === undefined || stepMs === 0) {
    throw new UserError({
      message: `--step ${flags.step ?? ''}`,
      expected: 'a duration such as 30s',
    });
  }
  if (startMs > endMs) throw new UserError('--from is after --to');
  return { startMs, endMs, stepMs };
}

function fromFiles(
  query: string,
  files: readonly string[],
  flags: QueryFlags,
): { result: ResultValue; warnings: string[] } {
  const { store, fromMs, toMs } = readSampleFiles(files);
  const { startMs, endMs, stepMs } = timesOf(flags, { fromMs, toMs });
  const lookbackMs = parseDurationMs(flags.lookback);
  if (!lookbackMs)
    throw new UserError({ message: `--lookback ${flags.lookback}`, expected: 'a duration' });
  const options: EngineOptions = { lookbackMs };
  const texts = (annotations: readonly Annotation[]): string[] =>
    annotations.map((a) => annotationText(a, query));
  try {
    if (stepMs === undefined) {
      const { value, annotations } = evaluateInstant(query, store, endMs, options);
      return { result: value, warnings: texts(annotations) };
    }
    const { series, annotations } = evaluateRange(query, store, startMs, endMs, stepMs, options);
    return { result: { type: 'range', series }, warnings: texts(annotations) };
  } catch (error) {
    const said = asUserError(query, error);
    if (said instanceof UserError) throw new UserError(said.problems, exitCode.failed);
    throw error;
  }
}
