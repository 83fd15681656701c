/** The part of a compiled route that both sides have: a request reads a field for each answer. */
import type { Route } from '../../../model.js';
import type { RequestMetrics } from '../../telemetry/request-metrics.js';
import type { HeaderEdits } from '../contract.js';
import { RateLimiter } from '../limit/rate-limiter.js';
import { failuresOf, type StatusSet } from './classify.js';
import { headerEdits } from './header-edits.js';
import { RouteMatcher } from './match.js';

/** The protocols that clients may change to if a route names none. */
const usualUpgrades: readonly string[] = ['websocket'];

export class CompiledRoute {
  readonly name: string;
  readonly source: Route;
  readonly matcher: RouteMatcher;
  readonly metrics: RequestMetrics;
  readonly failures: StatusSet;
  readonly requestTimeoutMs: number;
  readonly perTryTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly upgrades: readonly string[];
  readonly requestHeaders: HeaderEdits | undefined;
  readonly responseHeaders: HeaderEdits | undefined;
  readonly limiter: RateLimiter | undefined;
  readonly maxConcurrent: number;
  /** The reason why it answers 500 to everything; empty: it serves. */
  unservable = '';

  /**
   * `before` is the earlier route of the same name: its buckets continue if their policy is the same. `judged` has the
   * names of fields by which requests are authorized.
   */
  constructor(
    source: Route,
    metrics: RequestMetrics,
    before: CompiledRoute | undefined,
    nowMs: number,
    judged: readonly string[] = [],
  ) {
    this.name = source.name;
    this.source = source;
    this.matcher = new RouteMatcher(source);
    this.metrics = metrics;
    this.failures = failuresOf(source);
    this.requestTimeoutMs = source.timeouts.requestMs ?? 0;
    this.perTryTimeoutMs = source.timeouts.perTryMs ?? 0;
    this.idleTimeoutMs = source.timeouts.idleMs ?? 0;
    this.upgrades = source.upgrades ?? usualUpgrades;
    this.requestHeaders = headerEdits(source.requestHeaders, judged);
    this.responseHeaders = headerEdits(source.responseHeaders);
    this.limiter = source.rateLimit && limiterOf(source.rateLimit, before?.limiter, nowMs);
    this.maxConcurrent = source.maxConcurrent ?? 0;
  }
}

export const isSame = (a: unknown, b: unknown): boolean =>
  a !== undefined && JSON.stringify(a) === JSON.stringify(b);

export function limiterOf(
  policy: NonNullable<Route['rateLimit']>,
  before: RateLimiter | undefined,
  nowMs: number,
): RateLimiter {
  return before && isSame(policy, before.policy) ? before : new RateLimiter(policy, nowMs);
}
