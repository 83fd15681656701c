/** Runs queries in a Prometheus, or a compatible server, instead of this process. */
import * as z from 'zod';
import { splitAddress } from '../../../base/access.js';
import { boundedJson } from '../../../base/bounded-answer.js';
import { exitCode, UserError, whyUnanswered } from '../../../base/errors.js';
import type { Points } from '../engine/points.js';
import type { Sample } from '../engine/query.js';
import { Histogram } from '../histogram/histogram.js';
import { Labels } from '../labels.js';
import type { QueryTimes } from '../query-command.js';
import { parseGoFloat } from '../syntax/literals.js';
import type { ResultValue } from './results.js';

const pair = z.tuple([z.number(), z.string()]);
const metric = z.record(z.string(), z.string());
const histogram = z.tuple([z.number(), z.object({ count: z.string(), sum: z.string() })]);
const data = z.discriminatedUnion('resultType', [
  z.object({ resultType: z.enum(['scalar', 'string']), result: pair }),
  z.object({
    resultType: z.literal('vector'),
    result: z.array(z.union([z.object({ metric, value: pair }), z.object({ metric, histogram })])),
  }),
  z.object({
    resultType: z.literal('matrix'),
    result: z.array(z.object({ metric, values: z.array(pair).default([]) })),
  }),
]);
const texts = z.array(z.string()).default([]);
const answer = z.discriminatedUnion('status', [
  z.object({ status: z.literal('error'), error: z.string() }),
  z.object({ status: z.literal('success'), data, warnings: texts, infos: texts }),
]);

export async function askPrometheus(
  address: string,
  query: string,
  times: QueryTimes,
): Promise<{ result: ResultValue; warnings: string[] }> {
  const { url, authorization } = splitAddress(address);
  const headers = { ...(authorization !== undefined && { authorization }) };
  const { success, data } = answer.safeParse(await ask(url, headers, query, times));
  if (!success) {
    const message = `${url} does not answer as a Prometheus does`;
    throw new UserError({ message, expected: 'the address of a Prometheus' }, exitCode.environment);
  }
  if (data.status === 'error') throw new UserError(`${url}: ${data.error}`, exitCode.failed);
  return { result: valueOf(data.data), warnings: [...data.warnings, ...data.infos] };
}

async function ask(
  url: string,
  headers: Record<string, string>,
  query: string,
  { startMs, endMs, stepMs }: QueryTimes,
): Promise<unknown> {
  const seconds = (ms: number): string => String(ms / 1000);
  const body = new URLSearchParams(
    stepMs === undefined
      ? { query, time: seconds(endMs) }
      : { query, start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) },
  );
  const path = stepMs === undefined ? 'query' : 'query_range';
  try {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(120_000),
    });
    return await boundedJson(response);
  } catch (error) {
    throw new UserError(`${url}: no answer: ${whyUnanswered(error)}`, exitCode.environment);
  }
}

const number = (text: string): number => parseGoFloat(text) ?? NaN;

function valueOf(value: z.infer<typeof data>): ResultValue {
  if (value.resultType === 'vector') {
    return { type: 'vector', samples: value.result.map(sampleOf) };
  }
  if (value.resultType === 'matrix') return { type: 'range', series: value.result.map(pointsOf) };
  const [time, text] = value.result;
  const timeMs = time * 1000;
  return value.resultType === 'scalar'
    ? { type: 'scalar', timeMs, value: number(text) }
    : { type: 'string', timeMs, value: text };
}

type Result<T> = Extract<z.infer<typeof data>, { resultType: T }>['result'];

function sampleOf(series: Result<'vector'>[number]): Sample {
  const labels = Labels.of(series.metric);
  if ('value' in series) {
    const [time, text] = series.value;
    return { labels, timeMs: time * 1000, value: number(text) };
  }
  const [time, { count, sum }] = series.histogram;
  return {
    labels,
    timeMs: time * 1000,
    value: NaN,
    histogram: new Histogram({ count: number(count), sum: number(sum) }),
  };
}

function pointsOf({ metric, values }: Result<'matrix'>[number]): Points {
  return {
    labels: Labels.of(metric),
    times: Float64Array.from(values, ([time]) => time * 1000),
    values: Float64Array.from(values, ([, text]) => number(text)),
  };
}
