/** Runs queries in a Prometheus, or a compatible server, instead of this process. */
import { exitCode, UserError, whyUnanswered } from '../../../base/errors.js';
import type { Points } from '../engine/points.js';
import type { Sample } from '../engine/query.js';
import { Histogram } from '../histogram/histogram.js';
import { Labels } from '../labels.js';
import type { QueryTimes } from '../query-command.js';
import { parseGoFloat } from '../syntax/literals.js';
import type { ResultValue } from './results.js';

interface Answer {
  status?: string;
  error?: string;
  warnings?: string[];
  infos?: string[];
  data?: { resultType: string; result: unknown };
}

type Pair = [number, string];
interface Series {
  metric: Record<string, string>;
  value?: Pair;
  histogram?: [number, { count: string; sum: string }];
  values?: Pair[];
}

export async function askPrometheus(
  url: string,
  query: string,
  times: QueryTimes,
): Promise<{ result: ResultValue; warnings: string[] }> {
  const answer = await ask(url, query, times);
  if (answer.status !== 'success' || !answer.data) {
    throw new UserError(`${url}: ${answer.error ?? 'no result'}`, exitCode.failed);
  }
  const warnings = [...(answer.warnings ?? []), ...(answer.infos ?? [])];
  return { result: valueOf(answer.data), warnings };
}

async function ask(
  url: string,
  query: string,
  { startMs, endMs, stepMs }: QueryTimes,
): Promise<Answer> {
  const seconds = (ms: number): string => String(ms / 1000);
  const body = new URLSearchParams(
    stepMs === undefined
      ? { query, time: seconds(endMs) }
      : { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) },
  );
  const path = stepMs === undefined ? 'query' : 'query_range';
  try {
    const response = await fetch(`${url.replace(/\/$/, '')}/api/v1/${path}`, {
      method: 'POST',
      body,
      signal: AbortSignal.timeout(120_000),
    });
    return (await response.json()) as Answer;
  } catch (error) {
    throw new UserError(`${url}: no answer: ${whyUnanswered(error)}`, exitCode.environment);
  }
}

const number = (text: string): number => parseGoFloat(text) ?? NaN;

function valueOf(data: { resultType: string; result: unknown }): ResultValue {
  if (data.resultType === 'scalar' || data.resultType === 'string') {
    const [time, text] = data.result as Pair;
    const timeMs = time * 1000;
    return data.resultType === 'scalar'
      ? { type: 'scalar', timeMs, value: number(text) }
      : { type: 'string', timeMs, value: text };
  }
  const series = data.result as Series[];
  if (data.resultType === 'vector') return { type: 'vector', samples: series.map(sampleOf) };
  return { type: 'range', series: series.map(pointsOf) };
}

function sampleOf({ metric, value, histogram }: Series): Sample {
  const labels = Labels.of(metric);
  if (!histogram) {
    const [time, text] = value as Pair;
    return { labels, timeMs: time * 1000, value: number(text) };
  }
  const [time, { count, sum }] = histogram;
  return {
    labels,
    timeMs: time * 1000,
    value: NaN,
    histogram: new Histogram({ count: number(count), sum: number(sum) }),
  };
}

function pointsOf({ metric, values = [] }: Series): Points {
  return {
    labels: Labels.of(metric),
    times: Float64Array.from(values, ([time]) => time * 1000),
    values: Float64Array.from(values, ([, text]) => number(text)),
  };
}
