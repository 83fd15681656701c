/** A compiled outbound route: a request reads a field or makes one call for each answer. */
import type { Clock } from '../../../../base/clock.js';
import type { Random } from '../../../../base/random.js';
import type { HeaderChanges, OwnAnswer, RetryPolicy, Route } from '../../../model.js';
import type { RequestMetrics } from '../../telemetry/request-metrics.js';
import type { BackendState } from '../balance/backend.js';
import type { HeaderEdits, RequestInfo } from '../contract.js';
import { isIdempotent } from '../method.js';
import { Budget } from '../retry/budget.js';
import { StatusSet } from './classify.js';
import { CompiledRoute, isSame } from './compiled-route.js';
import { Cors } from './cors.js';
import { headerEdits } from './header-edits.js';
import { pathOf } from './match.js';

class RetryState {
  readonly policy: RetryPolicy;
  readonly statuses: StatusSet;
  /** Undefined: unlimited. */
  readonly budget: Budget | undefined;

  constructor(policy: RetryPolicy, budget: Budget | undefined) {
    this.policy = policy;
    this.statuses = new StatusSet(policy.statuses, policy.grpcStatuses ?? []);
    this.budget = budget;
  }
}

export interface Share {
  backend: BackendState;
  requestHeaders: HeaderEdits | undefined;
  responseHeaders: HeaderEdits | undefined;
  respond: OwnAnswer | undefined;
  /** The sum of the weights up to and including this share. */
  upTo: number;
}

export class RouteState extends CompiledRoute {
  readonly retry: RetryState | undefined;
  readonly hedgeAfterMs: number | undefined;
  readonly cors: Cors | undefined;
  readonly mirror: { backend: BackendState; fraction: number } | undefined;
  /** The route has none of the rarer policies, so begin() skips them. */
  readonly isPlain: boolean;
  readonly #only: Share | undefined;
  readonly #shares: readonly Share[];
  readonly #random: Random;

  constructor(parts: {
    source: Route;
    metrics: RequestMetrics;
    backends: ReadonlyMap<string, BackendState>;
    /** The earlier route of the same name: its budget and buckets continue if their policy is the same. */
    before: RouteState | undefined;
    clock: Clock;
    random: Random;
  }) {
    const { source, backends, before, random } = parts;
    const nowMs = parts.clock.monotonicMs();
    super(source, parts.metrics, before, nowMs);
    const { retry } = source;
    if (retry) {
      const same = isSame(retry.budget, before?.retry?.budget?.policy);
      const budget = retry.budget
        ? ((same ? before?.retry?.budget : undefined) ?? new Budget(retry.budget, nowMs))
        : undefined;
      this.retry = new RetryState(retry, budget);
    }
    this.hedgeAfterMs = source.hedge?.afterMs;
    const mirrored = source.mirror && backends.get(source.mirror.backend);
    this.mirror = mirrored && { backend: mirrored, fraction: source.mirror?.fraction ?? 0 };
    this.cors = source.cors && new Cors(source.cors);
    this.#shares = sharesOf(source, backends);
    this.#only = this.#shares.length === 1 ? this.#shares[0] : undefined;
    this.#random = random;
    this.isPlain =
      !source.cors &&
      !source.redirect &&
      !source.respond &&
      this.#shares.every((share) => !share.respond) &&
      !source.rewrite &&
      !this.limiter &&
      !this.mirror &&
      this.maxConcurrent === 0;
  }

  /** Fixed for a request: its retries stay with the version that it was given. */
  share(): Share {
    if (this.#only) return this.#only;
    const lot = this.#random.next() * (this.#shares[this.#shares.length - 1] as Share).upTo;
    for (const share of this.#shares) if (lot < share.upTo) return share;
    return this.#shares[this.#shares.length - 1] as Share;
  }

  /** The changes of the answer to a request that has this share. */
  answerEdits(request: RequestInfo, { responseHeaders }: Share): HeaderEdits | undefined {
    return this.cors ? this.cors.edits(request, responseHeaders) : responseHeaders;
  }

  mayRetry(method: string): boolean {
    return this.retry !== undefined && (this.retry.policy.unsafeMethods || isIdempotent(method));
  }

  /** Path with query and authority as the route rewrites them. */
  rewrite(request: RequestInfo, path: string): { path?: string; authority?: string } {
    const { rewrite } = this.source;
    if (!rewrite) return {};
    const query = request.path.slice(pathOf(request.path).length);
    const to = rewrite.path ?? this.#inPlaceOfPrefix(rewrite.prefix, request, path);
    return {
      ...(to !== path && { path: to + query }),
      ...(rewrite.host !== undefined && { authority: rewrite.host }),
    };
  }

  /** The target of a redirect, by the path as it was judged; undefined: the route does not redirect. */
  location(request: RequestInfo, asked: string): string | undefined {
    const { redirect } = this.source;
    if (!redirect) return undefined;
    const scheme = redirect.scheme ?? (request.tls === 'true' ? 'https' : 'http');
    const colon = /:(\d+)$/.exec(request.authority);
    const host = redirect.host ?? request.authority.replace(/:\d+$/, '');
    // A new scheme has its own port; otherwise the port of the request stays (Gateway API), for a new host too.
    const kept = redirect.scheme ? undefined : colon?.[1];
    const port = redirect.port === undefined ? kept : String(redirect.port);
    const usual = scheme === 'https' ? '443' : '80';
    const at = port === undefined || port === usual ? '' : `:${port}`;
    const query = request.path.indexOf('?');
    const path = redirect.path ?? this.#inPlaceOfPrefix(redirect.prefix, request, asked);
    return `${scheme}://${host}${at}${path}${query < 0 ? '' : request.path.slice(query)}`;
  }

  #inPlaceOfPrefix(prefix: string | undefined, request: RequestInfo, path: string): string {
    const length = prefix === undefined ? undefined : this.matcher.prefixLength(request, path);
    if (prefix === undefined || length === undefined) return path;
    const to = `${prefix.replace(/\/+$/, '')}${path.slice(length)}`;
    return to.startsWith('/') ? to : `/${to}`;
  }
}

/** At least one share: a request that the proxy answers itself is still counted with a backend. */
function sharesOf(source: Route, backends: ReadonlyMap<string, BackendState>): Share[] {
  let upTo = 0;
  const shares: Share[] = [];
  for (const { backend, weight, requestHeaders, responseHeaders, respond } of source.split) {
    const state = backends.get(backend);
    if (!state || weight <= 0) continue;
    upTo += weight;
    shares.push({
      backend: state,
      upTo,
      requestHeaders: headerEdits(both(source.requestHeaders, requestHeaders)),
      responseHeaders: headerEdits(both(responseHeaders, source.responseHeaders)),
      respond,
    });
  }
  const [first] = backends.values();
  if (shares.length === 0 && first) {
    const respond = source.redirect || source.respond ? undefined : nothingServes;
    const edits = {
      requestHeaders: headerEdits(source.requestHeaders),
      responseHeaders: headerEdits(source.responseHeaders),
    };
    shares.push({ backend: first, upTo: 1, ...edits, respond });
  }
  return shares;
}

const nothingServes: OwnAnswer = { status: 500, reason: 'no-backend' };

/** As if the two were applied in turn: the later one's sets and removals win. */
function both(
  first: HeaderChanges | undefined,
  then: HeaderChanges | undefined,
): HeaderChanges | undefined {
  if (!first || !then) return first ?? then;
  const touched = new Set(
    [...(then.set ?? []).map(([name]) => name), ...(then.remove ?? [])].map((n) => n.toLowerCase()),
  );
  const kept = (pairs: HeaderChanges['set']): [string, string][] =>
    (pairs ?? []).filter(([name]) => !touched.has(name.toLowerCase()));
  return {
    set: [...kept(first.set), ...(then.set ?? [])],
    add: [...kept(first.add), ...(then.add ?? [])],
    remove: [...(first.remove ?? []), ...(then.remove ?? [])],
  };
}
