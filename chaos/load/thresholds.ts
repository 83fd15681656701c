/** SLOs as thresholds of a load test: the same objectives, applied to the client's measurements on its routes. */
import { type JunitCase, junitXml } from '../../base/junit.js';
import { budgetRatio, type Slo } from '../../slo/index.js';
import { isAnswered, type LoadPoint, quantile } from './points.js';

export interface Threshold {
  name: string;
  service: string;
  /** Ratio of requests that may be bad. */
  allowed: number;
  /** Slower answers are bad; absent: only failures are bad. */
  slowerThanMs?: number;
  /** The reason why no client can measure the objective. */
  unmeasurable?: string;
}

export interface ThresholdResult {
  name: string;
  measured: string;
  bound: string;
  /** `unjudged` is never a success: a requested objective could not be measured. */
  verdict: 'held' | 'missed' | 'unjudged';
}

/** Thresholds of every SLO: availability and latency are measured by the client, all others get a reason why not. */
export function thresholdsOf(slos: readonly Slo[]): Threshold[] {
  return slos.map((slo): Threshold => {
    const base = { name: slo.id, service: slo.service, allowed: budgetRatio(slo.objective) };
    if (slo.sli.kind === 'events') return base;
    if (slo.sli.kind !== 'latency') {
      return { ...base, unmeasurable: `an SLI of kind ${slo.sli.kind} is not the client's to see` };
    }
    const inMilliseconds = /_ms\b|_milliseconds\b/.test(slo.sli.histogram);
    return { ...base, slowerThanMs: slo.sli.threshold * (inMilliseconds ? 1 : 1000) };
  });
}

const percent = (ratio: number): string => `${Number((100 * ratio).toPrecision(3))}%`;

export interface JudgedLoad {
  thresholds: readonly Threshold[];
  points: readonly LoadPoint[];
  /** Requests that should have been begun; 0 if unknown (a user's own script). */
  due: number;
  /** By route: the service whose objectives apply. */
  serviceOf(route: string): string;
}

export function judgeLoad({ thresholds, points, due, serviceOf }: JudgedLoad): ThresholdResult[] {
  const answered = points.filter(isAnswered).length;
  const enough = points.length >= due * 0.9 && points.length > 0;
  const ran: ThresholdResult = {
    name: 'the load ran',
    measured: `${points.length} requests, ${answered} answered`,
    bound: due > 0 ? `at least ${Math.round(due * 0.9)}, and answers` : 'answers',
    verdict: !enough ? 'unjudged' : answered === 0 ? 'missed' : 'held',
  };
  const good = points.filter((p) => p.ok).length;
  const some: ThresholdResult = {
    name: 'something succeeded',
    measured: `${good} of ${points.length} as expected${good === 0 ? whyText(points) : ''}`,
    bound: 'at least 1',
    verdict: good > 0 ? 'held' : 'missed',
  };
  return [ran, some, ...thresholds.map((t) => judgeOne(t, points, serviceOf))];
}

function judgeOne(
  t: Threshold,
  points: readonly LoadPoint[],
  serviceOf: JudgedLoad['serviceOf'],
): ThresholdResult {
  const bound = `at most ${percent(t.allowed)}`;
  const unjudged = (measured: string): ThresholdResult => ({
    name: t.name,
    measured,
    bound,
    verdict: 'unjudged',
  });
  if (t.unmeasurable !== undefined) return unjudged(t.unmeasurable);
  const own = points.filter((p) => serviceOf(p.route) === t.service);
  if (own.length === 0) return unjudged(`no route of the load measures ${t.service}`);
  const { slowerThanMs } = t;
  if (slowerThanMs === undefined) {
    const ratio = own.filter((p) => !p.ok).length / own.length;
    const measured = `${percent(ratio)} of ${own.length} failed${ratio > 0 ? whyText(own) : ''}`;
    return { name: t.name, measured, bound, verdict: ratio <= t.allowed ? 'held' : 'missed' };
  }
  // A failure is not a fast answer: latency counts only the expected answers.
  const answers = own.filter((p) => p.ok);
  if (answers.length === 0) {
    const measured = `no successful answer of ${own.length}: nothing has a latency`;
    return { name: t.name, measured, bound, verdict: 'missed' };
  }
  const ratio = answers.filter((p) => p.ms > slowerThanMs).length / answers.length;
  const measured = `${percent(ratio)} of ${answers.length} took longer than ${slowerThanMs} ms`;
  return { name: t.name, measured, bound, verdict: ratio <= t.allowed ? 'held' : 'missed' };
}

const failureText = {
  'no-answer': 'without an answer',
  timeout: 'timed out',
  status: 'of another status',
  body: 'of another body',
} as const;

/** By route: the requests sent, the failures with their causes, and the p95 latency. */
export function routeRows(points: readonly LoadPoint[]): string[][] {
  return [...new Set(points.map((p) => p.route))].sort().map((route) => {
    const own = points.filter((p) => p.route === route);
    const failed = own.filter((p) => !p.ok).length;
    const share = `${percent(failed / own.length)}${failed > 0 ? whyText(own) : ''}`;
    return [route, String(own.length), share, `${quantile(own, 0.95)} ms`];
  });
}

/** ` (140 without an answer, 2 of another status: 503)`. */
function whyText(points: readonly LoadPoint[]): string {
  const kinds = Object.keys(failureText) as (keyof typeof failureText)[];
  const parts = kinds.flatMap((kind) => {
    const own = points.filter((p) => p.failure === kind);
    if (own.length === 0) return [];
    const statuses = [...new Set(own.flatMap((p) => p.status ?? []))].sort().slice(0, 5);
    const which = kind === 'status' && statuses.length > 0 ? `: ${statuses.join(', ')}` : '';
    return [`${own.length} ${failureText[kind]}${which}`];
  });
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

/** One case for each objective; an unjudged objective is an error, never a success. */
export const loadJunit = (results: readonly ThresholdResult[], seconds: number): string => {
  const cases = results.map(({ name, measured, bound, verdict }): JunitCase => {
    const text = `${measured}; ${bound}`;
    return {
      group: 'load',
      name,
      seconds,
      ...(verdict === 'missed' ? { failures: [text] } : {}),
      ...(verdict === 'unjudged' ? { error: text } : {}),
    };
  });
  return junitXml([{ name: 'load', cases, seconds }]);
};
