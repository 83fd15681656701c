/** The requests that a tap shows: the body of POST /tap, checked. */
import { type Problem, UserError } from '../../../base/errors.js';
import type { FlowRecord } from './flow-record.js';
import { classifications } from './request-metrics.js';

export interface TapScope {
  direction?: 'inbound' | 'outbound';
  /** `cart.retail`. */
  destination?: string;
  route?: string;
  method?: string;
  authority?: string;
  pathPrefix?: string;
  /** Of the client or of the server; exact, or `*.suffix`. */
  identity?: string;
  /** Inclusive. */
  status?: [number, number];
  classification?: 'success' | 'failure' | 'canceled';
  /** Names of headers to show; sensitive ones are still redacted. */
  headers?: string[];
  /** Requests a second at most; 100 when absent, 1000 at most. */
  maxPerSecond: number;
  /** Share of the requests in scope; 1 when absent. */
  sampleRatio: number;
  /** The tap's duration; 60 when absent, 600 at most. */
  seconds: number;
  output: 'lines' | 'json';
}

const texts = ['destination', 'route', 'method', 'authority', 'pathPrefix', 'identity'] as const;

/** Throws a UserError that names every wrong field. */
export function checkedScope(value: unknown): TapScope {
  if (value !== undefined && (typeof value !== 'object' || !value || Array.isArray(value))) {
    throw new UserError({ message: 'not a scope', expected: 'a JSON object' });
  }
  const given = { ...(value as Record<string, unknown>) };
  const problems: Problem[] = [];
  const scope: Record<string, unknown> = {};
  const take = (field: string, isGood: (v: unknown) => boolean, expected: string): void => {
    const v = given[field];
    delete given[field];
    if (v === undefined) return;
    if (isGood(v)) scope[field] = v;
    else problems.push({ message: `bad ${field}`, expected });
  };
  const oneOf = (...options: string[]): [(v: unknown) => boolean, string] => [
    (v) => options.includes(v as string),
    options.join(' or '),
  ];
  const between = (from: number, to: number): [(v: unknown) => boolean, string] => [
    (v) => typeof v === 'number' && v > from && v <= to,
    `a number above ${from}, at most ${to}`,
  ];
  for (const field of texts) take(field, (v) => typeof v === 'string' && v !== '', 'text');
  take('direction', ...oneOf('inbound', 'outbound'));
  take('classification', ...oneOf(...classifications));
  take('output', ...oneOf('lines', 'json'));
  take('maxPerSecond', ...between(0, 1000));
  take('sampleRatio', ...between(0, 1));
  take('seconds', ...between(0, 600));
  take(
    'status',
    (v) => Array.isArray(v) && v.length === 2 && v.every((n) => Number.isInteger(n)),
    'two statuses, from and to, such as [500, 599]',
  );
  take(
    'headers',
    (v) => Array.isArray(v) && v.length <= 50 && v.every((n) => typeof n === 'string'),
    'a list of at most 50 names',
  );
  for (const field of Object.keys(given)) problems.push({ message: `unknown field ${field}` });
  if (problems.length > 0) throw new UserError(problems);
  return {
    maxPerSecond: 100,
    sampleRatio: 1,
    seconds: 60,
    output: 'lines',
    ...(scope as Partial<TapScope>),
  };
}

/** Decides by the fields known at the request's head. */
export function inScope(scope: TapScope, record: FlowRecord): boolean {
  const { request } = record;
  return (
    (scope.direction === undefined || scope.direction === record.direction) &&
    (scope.destination === undefined || scope.destination === record.dst) &&
    (scope.route === undefined || scope.route === record.routeName) &&
    (scope.method === undefined || scope.method === request.method) &&
    (scope.authority === undefined || scope.authority === request.authority) &&
    (scope.pathPrefix === undefined || request.path.startsWith(scope.pathPrefix)) &&
    // For outbound requests the identity is the server's, which is known at the end.
    (scope.identity === undefined ||
      record.direction === 'outbound' ||
      named(scope.identity, request.peerIdentity))
  );
}

/** Whether the decision needs the request's end, so that nothing is shown before it. */
export const decidesLate = (scope: TapScope): boolean =>
  scope.status !== undefined || scope.classification !== undefined || scope.identity !== undefined;

/** Decides by the fields known only at the end. */
export function endedInScope(scope: TapScope, record: FlowRecord): boolean {
  const { status, classification, identity } = scope;
  return (
    (status === undefined || (record.status >= status[0] && record.status <= status[1])) &&
    (classification === undefined || classification === classifications[record.classification]) &&
    (identity === undefined ||
      named(identity, record.request.peerIdentity) ||
      named(identity, record.targetIdentity))
  );
}

function named(pattern: string, identity: string | undefined): boolean {
  if (identity === undefined) return false;
  if (pattern.startsWith('*.')) return identity.endsWith(pattern.slice(1));
  return pattern === '*' || pattern === identity;
}
