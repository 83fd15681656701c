/** The common parts of all kinds of routes: a route before its backends are resolved, its problems, its defaults. */
import { parseDurationMs } from '../../../base/duration.js';
import { patternProblem } from '../../pattern/pattern.js';
import { presetsOf } from '../../schema/fields.js';
import { retryFields } from '../../schema/route.js';
import type { HeaderChanges, OwnAnswer, RetryBudget, RetryPolicy, Route } from '../../model.js';

/** A service that a route sends to. */
export interface ServiceRef {
  service: string;
  namespace: string;
  port?: number;
}

/** The object that refers to a service; the other namespace's ReferenceGrants decide whether it may. */
export interface Referrer {
  kind: 'HTTPRoute' | 'GRPCRoute';
  namespace: string;
  /**
   * The services to which the route is attached, `namespace/name`: clients send there anyway, so no grant is needed.
   */
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
  /** The referring object, for Gateway API routes. */
  referrer?: Referrer;
  /** The precedence among all routes of one parent, larger first; absent: the order as written. */
  rank?: number[];
}

/** An unusable value and its place: a path such as `spec.routes[2].timeout`. */
export interface FieldProblem {
  path: string;
  message: string;
  /** A backend of a kind other than Service: an unresolved reference, not an unsupported value. */
  reason?: 'InvalidKind';
}

export interface Drafts {
  drafts: RouteDraft[];
  problems: FieldProblem[];
  retryBudget?: RetryBudget;
}

export const retryPolicy = (part: Partial<RetryPolicy>): RetryPolicy => ({
  ...(presetsOf(retryFields) as RetryPolicy),
  ...part,
});

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

/** Regular expressions have RE2's syntax, as in Linkerd and Envoy; those without linear-time matching are refused. */
export function checkRegex(text: string, path: string, problems: FieldProblem[]): boolean {
  const problem = patternProblem(text);
  if (problem !== undefined) problems.push({ path, message: `'${text}': ${problem}` });
  return problem === undefined;
}

/** Reads `cart.retail.svc.cluster.local:80` or `cart.retail` as a reference; a bare `cart` is in `namespace`. */
export function parseAuthority(authority: string, namespace: string): ServiceRef {
  const [host = '', port] = authority.split(':');
  const [service = '', own] = host.split('.');
  return { service, namespace: own ?? namespace, ...(port ? { port: Number(port) } : {}) };
}
