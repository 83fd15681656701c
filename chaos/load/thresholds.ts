/** SLOs as thresholds of a load test: the same objective, held against what the client saw on its route. */
import { budgetRatio, type Slo } from '../../slo/index.js';
import type { LoadPoint } from './points.js';

export interface Threshold {
  name: string;
  route: string;
  /** Share of requests that may be bad. */
  allowed: number;
  /** Slower is bad; absent: only failing is. */
  slowerThanMs?: number;
}

export interface ThresholdResult {
  name: string;
  measured: string;
  bound: string;
  held: boolean;
}

/** Availability and latency of services that the client has a route to. */
export function thresholdsOf(slos: readonly Slo[]): Threshold[] {
  return slos.flatMap((slo): Threshold[] => {
    const base = { name: slo.id, route: slo.service, allowed: budgetRatio(slo.objective) };
    if (slo.sli.kind === 'events') return [base];
    if (slo.sli.kind !== 'latency') return [];
    const inMilliseconds = /_ms\b|_milliseconds\b/.test(slo.sli.histogram);
    return [{ ...base, slowerThanMs: slo.sli.threshold * (inMilliseconds ? 1 : 1000) }];
  });
}

const percent = (ratio: number): string => `${Number((100 * ratio).toPrecision(3))}%`;

export function judgeLoad(
  thresholds: readonly Threshold[],
  points: readonly LoadPoint[],
  due: number,
): ThresholdResult[] {
  const ran: ThresholdResult = {
    name: 'the load ran',
    measured: `${points.length} requests`,
    bound: `at least ${Math.round(due * 0.9)}`,
    held: points.length >= due * 0.9,
  };
  const results = thresholds.flatMap((t): ThresholdResult[] => {
    const own = points.filter((p) => p.route === t.route);
    // No samples are no success, but a service that the client never calls is not the client's to judge.
    if (own.length === 0) return [];
    const { slowerThanMs } = t;
    const isBad = (p: LoadPoint): boolean =>
      slowerThanMs === undefined ? !p.ok : p.ok && p.ms > slowerThanMs;
    const ratio = own.filter(isBad).length / own.length;
    const what = slowerThanMs === undefined ? 'failed' : `took longer than ${slowerThanMs} ms`;
    return [
      {
        name: t.name,
        measured: `${percent(ratio)} of ${own.length} ${what}`,
        bound: `at most ${percent(t.allowed)}`,
        held: ratio <= t.allowed,
      },
    ];
  });
  return [ran, ...results];
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export function loadJunit(results: readonly ThresholdResult[], seconds: number): string {
  const failures = results.filter((r) => !r.held).length;
  const cases = results.map((r) => {
    const head = `<testcase classname="load" name="${escapeXml(r.name)}" time="${seconds.toFixed(1)}"`;
    if (r.held) return `  ${head}/>`;
    const message = escapeXml(`${r.measured}; ${r.bound}`);
    return `  ${head}><failure message="${message}"/></testcase>`;
  });
  const counts = `tests="${results.length}" failures="${failures}"`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="load" ${counts} ` +
    `time="${seconds.toFixed(1)}">\n${cases.join('\n')}\n</testsuite>\n`
  );
}
