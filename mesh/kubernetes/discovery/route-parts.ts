/** What all kinds of routes share: a route before its backends are resolved, its problems, its defaults. */
import { parseDurationMs } from '../../../base/duration.js';
import { patternProblem } from '../../pattern/pattern.js';
import type { HeaderChanges, OwnAnswer, RetryBudget, RetryPolicy, Route } from '../../model.js';

/** A service that a route sends to. */
export interface ServiceRef {
  service: string;
  namespace: string;
  port?: number;
}

/** Who refers to a service: whether it may is asked of the other namespace's ReferenceGrants. */
export interface Referrer {
  kind: 'HTTPRoute' | 'GRPCRoute';
  namespace: string;
  /** Services that it hangs on, `namespace/name`: its clients send there anyway, so no grant is asked for. */
  parents: readonly string[];
}

export interface DraftShare extends ServiceRef {
  weight: number;
  requestHeaders?: HeaderChanges;
  responseHeaders?: HeaderChanges;
  respond?: OwnAnswer;
}

/** A route whose split and mirror name services; `split` empty means the destination itself. */
export interface RouteDraft {
  route: Omit<Route, 'split' | 'mirror'>;
  split: DraftShare[];
  mirror?: ServiceRef & { fraction: number };
  /** Of Gateway API routes. */
  referrer?: Referrer;
  /** What goes first among all routes of one parent, larger first; absent: in the order as written. */
  rank?: number[];
}

/** What cannot work, and where: a path such as `spec.routes[2].timeout`. */
export interface FieldProblem {
  path: string;
  message: string;
  /** A backend of a kind that is no Service: an unresolved reference, not an unsupported value. */
  reason?: 'InvalidKind';
}

export interface Drafts {
  drafts: RouteDraft[];
  problems: FieldProblem[];
  retryBudget?: RetryBudget;
}

/** Linkerd's and Envoy's: one retry for every five requests, and ten a second for those that have few. */
export const defaultBudget: RetryBudget = { ratio: 0.2, minRetriesPerSecond: 10, ttlSeconds: 10 };

export function retryPolicy(part: Partial<RetryPolicy>): RetryPolicy {
  return {
    limit: 1,
    statuses: [[500, 599]],
    onConnectFailure: true,
    unsafeMethods: false,
    backoff: { baseMs: 25, maxMs: 250, jitter: 0.5 },
    budget: defaultBudget,
    maxBufferedBytes: 65_536,
    ...part,
  };
}

/** Gateway API and Linkerd both write `10s`, `1h30m`, `300ms`. */
export function readDuration(
  text: string | undefined,
  path: string,
  problems: FieldProblem[],
): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms === undefined) {
    problems.push({ path, message: `'${text}' is no duration such as 300ms, 10s or 1m30s` });
  }
  // 0 means no timeout in the Gateway API.
  return ms === 0 ? undefined : ms;
}

/** RE2's, as Linkerd and Envoy take them: what cannot be matched in linear time is refused by name. */
export function checkRegex(text: string, path: string, problems: FieldProblem[]): boolean {
  const problem = patternProblem(text);
  if (problem !== undefined) problems.push({ path, message: `'${text}': ${problem}` });
  return problem === undefined;
}

/** `cart.retail.svc.cluster.local:80` or `cart.retail` as a reference; a bare `cart` is of `namespace`. */
export function parseAuthority(authority: string, namespace: string): ServiceRef {
  const [host = '', port] = authority.split(':');
  const [service = '', own] = host.split('.');
  return { service, namespace: own ?? namespace, ...(port ? { port: Number(port) } : {}) };
}
