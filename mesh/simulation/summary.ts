/** Summarises a run, in a row of figures, and second by second. */
import { formatTable } from '../../base/terminal.js';
import type { Run } from './run.js';
import type { Incident } from './spec.js';

export interface Summary {
  requests: number;
  /** Share of requests that got an answer below 500 (and not 429), 0 to 1; null: there was no request. */
  successRatio: number | null;
  worstSecondSuccessRatio: number | null;
  triesPerRequest: number;
  /** Attempts that reached the servers in the worst second, for each request that arrived in it. */
  worstSecondTriesPerRequest: number;
  p50Ms: number | null;
  p99Ms: number | null;
  retries: number;
  retriesForbidden: number;
  ejections: number;
  /**
   * From the incident's end until nine in ten requests of every later second succeed; null: never, or `unseen`: there
   * was no incident, or no request after it.
   */
  recoverySeconds: number | null | 'unseen';
}

const wellFrom = 0.9;

export function summarize({ seconds, ...run }: Run, { incident }: Incident): Summary {
  const sum = (read: (s: Run['seconds'][number]) => number): number =>
    seconds.reduce((total, s) => total + read(s), 0);
  const requests = sum((s) => s.requests);
  const busy = seconds.filter((s) => s.requests > 0);
  const quantile = (q: number): number | null =>
    run.latenciesMs.length === 0
      ? null
      : (run.latenciesMs[Math.ceil(q * run.latenciesMs.length) - 1] as number);
  return {
    requests,
    successRatio: requests === 0 ? null : sum((s) => s.succeeded) / requests,
    worstSecondSuccessRatio:
      requests === 0 ? null : Math.min(...busy.map((s) => s.succeeded / s.requests)),
    triesPerRequest: requests === 0 ? 0 : sum((s) => s.tries) / requests,
    worstSecondTriesPerRequest: Math.max(0, ...busy.map((s) => s.tries / s.requests)),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    retries: run.retries,
    retriesForbidden: run.retriesForbidden,
    ejections: run.ejections,
    recoverySeconds: recovery(seconds, Math.max(...incident.map((step) => step.to))),
  };
}

/** The last second that went badly shows when the service had recovered, if a later one had requests. */
function recovery(seconds: Run['seconds'], endMs: number): Summary['recoverySeconds'] {
  const after = seconds.slice(Math.max(0, Math.ceil(endMs / 1000)));
  const judged = after.map((s, i) => ({ ...s, i })).filter((s) => s.requests > 0);
  if (endMs < 0 || judged.length === 0) return 'unseen';
  const last = judged.findLast((s) => s.succeeded / s.requests < wellFrom);
  if (last === judged.at(-1)) return null;
  return last === undefined ? 0 : last.i + 1;
}

const percent = (ratio: number | null): string =>
  ratio === null ? '-' : `${(100 * ratio).toFixed(2)}%`;
const recovered = (value: Summary['recoverySeconds']): string =>
  value === 'unseen' ? '-' : value === null ? 'never' : `${value} s`;
const ms = (value: number | null): string => (value === null ? '-' : `${value.toFixed(0)} ms`);

export function summaryTable(rows: readonly { name: string; summary: Summary }[]): string {
  return formatTable(
    [
      'VARIANT',
      'REQUESTS',
      'SUCCESS',
      'WORST SECOND',
      'TRIES/REQUEST',
      'WORST SECOND',
      'P50',
      'P99',
      'FORBIDDEN RETRIES',
      'EJECTIONS',
      'RECOVERED AFTER',
    ],
    rows.map(({ name, summary: s }) => [
      name,
      String(s.requests),
      percent(s.successRatio),
      percent(s.worstSecondSuccessRatio),
      s.triesPerRequest.toFixed(2),
      s.worstSecondTriesPerRequest.toFixed(2),
      ms(s.p50Ms),
      ms(s.p99Ms),
      String(s.retriesForbidden),
      String(s.ejections),
      recovered(s.recoverySeconds),
    ]),
  );
}

export function timelineTable(name: string, { seconds }: Run): string {
  return `${name}\n${formatTable(
    ['SECOND', 'REQUESTS', 'SUCCESS', 'TRIES', 'TRIES/REQUEST', 'UNREADY'],
    seconds.map((s, i) => [
      String(i),
      String(s.requests),
      s.requests === 0 ? '-' : percent(s.succeeded / s.requests),
      String(s.tries),
      s.requests === 0 ? '-' : (s.tries / s.requests).toFixed(2),
      String(s.unready),
    ]),
  )}`;
}
