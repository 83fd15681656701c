/**
 * Finds silent failures: callers failed for a while, and nobody was paged. Compares the clients' failures with the
 * SLOs' counts, and names the smallest rule that would have fired. A measure of the service itself cannot find such a
 * failure: a dead dependency that is answered with 200 is no error there.
 */
import type { SilenceRecord } from '../../runbooks/record.js';
import type { Failure, LoadPoint } from '../load/points.js';

/** Failures closer than this, in real milliseconds, belong to one stretch, because a slow route has few requests. */
const gapMs = 2000;
/** Below this share of a route's requests, failures are no outage. */
const shareMin = 0.05;
/** Fewer failures than this are an accident. */
const failuresMin = 5;

export interface SilenceFacts {
  points: readonly LoadPoint[];
  /** From the injection to the end of the fault phase. */
  fromMs: number;
  untilMs: number;
  /** A stretch shorter than this need not page anybody. */
  toleratedMs: number;
  /** The times of pages, and of all notifications. */
  pagedAtMs: readonly number[];
  toldAtMs: readonly number[];
  /** Paging alerts that fired under the fault, whether or not a receiver was notified. */
  fired: readonly string[];
  /** Each SLO's counts over the stretch; no events mean no data. */
  slos: readonly { slo: string; bad: number; total: number }[];
  /**
   * Failures in the counts of callers' proxies and relays, by the rule that would have fired on them; undefined if they
   * are not known.
   */
  seen: readonly { expr: string; firstTrueMs: number }[] | undefined;
}

interface Stretch {
  route: string;
  startMs: number;
  endMs: number;
  errors: number;
  requests: number;
  failures: Failure[];
}

/** The longest silent stretch of each route, longest first. */
export function silencesIn(facts: SilenceFacts): SilenceRecord[] {
  const { points, fromMs, untilMs, toleratedMs, pagedAtMs } = facts;
  const own = points.filter((p) => p.atMs + p.ms >= fromMs && p.atMs < untilMs);
  return [...new Set(own.map((p) => p.route))]
    .flatMap(
      (route) =>
        longestStretch(
          route,
          own.filter((p) => p.route === route),
        ) ?? [],
    )
    .filter((s) => s.endMs - s.startMs > toleratedMs)
    .filter((s) => !pagedAtMs.some((atMs) => atMs >= fromMs && atMs <= s.endMs + toleratedMs))
    .map((s) => silenceRecord(s, facts))
    .sort((a, b) => b.failedMs - a.failedMs);
}

function longestStretch(route: string, points: readonly LoadPoint[]): Stretch | undefined {
  const failed = points.filter((p) => !p.ok).sort((a, b) => a.atMs - b.atMs);
  const stretches: Stretch[] = [];
  for (const point of failed) {
    const endMs = point.atMs + point.ms;
    const open = stretches.at(-1);
    if (open && point.atMs - open.endMs <= gapMs) {
      open.endMs = Math.max(open.endMs, endMs);
      open.errors++;
      if (point.failure) open.failures.push(point.failure);
      continue;
    }
    const failures = point.failure ? [point.failure] : [];
    stretches.push({ route, startMs: point.atMs, endMs, errors: 1, requests: 0, failures });
  }
  for (const s of stretches) {
    s.requests = points.filter((p) => p.atMs >= s.startMs && p.atMs <= s.endMs).length;
  }
  return stretches
    .filter((s) => s.errors >= failuresMin && s.errors >= shareMin * s.requests)
    .sort((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs))[0];
}

function silenceRecord(stretch: Stretch, facts: SilenceFacts): SilenceRecord {
  const { route, startMs, endMs, errors, requests } = stretch;
  const told = facts.toldAtMs.some((atMs) => atMs >= startMs && atMs <= endMs);
  const fired = [...new Set(facts.fired)];
  const rule = fired.length > 0 ? undefined : smallestRule(stretch, facts);
  return {
    route,
    startMs,
    failedMs: endMs - startMs,
    errors,
    requests,
    told: told ? 'a ticket' : 'nobody',
    slos: facts.slos.map(({ slo, bad, total }) => ({
      slo,
      ...(total > 0 && { badRatio: bad / total }),
    })),
    ...(fired.length > 0 && { fired }),
    ...(rule && { rule }),
  };
}

/**
 * The earliest rule on the counts of callers' proxies that would have fired; otherwise a probe with the client's
 * request.
 */
function smallestRule(stretch: Stretch, { seen }: SilenceFacts): SilenceRecord['rule'] {
  if (!seen) return undefined;
  const { startMs, route, failures } = stretch;
  const [soonest] = seen
    .filter((s) => s.firstTrueMs >= startMs)
    .toSorted((a, b) => a.firstTrueMs - b.firstTrueMs);
  if (soonest) return { expr: soonest.expr, afterMs: soonest.firstTrueMs - startMs };
  const count = (kind: Failure): number => failures.filter((f) => f === kind).length;
  const kinds: Failure[] = ['body', 'timeout', 'status', 'no-answer'];
  const worst = kinds.toSorted((a, b) => count(b) - count(a))[0] ?? 'status';
  const asks: Record<Failure, string> = {
    body: 'checks the body of the answer',
    timeout: 'gives up after the client’s timeout',
    status: 'checks the status of the answer',
    'no-answer': 'connects as a client does',
  };
  return { expr: 'probe_success == 0', probe: `of the route ${route} that ${asks[worst]}` };
}
