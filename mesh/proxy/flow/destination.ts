/** A compiled destination: its backends live as long as it does, its routes are replaced by each change. */
import type { Destination, Route } from '../../model.js';
import { patternProblem } from '../../pattern/pattern.js';
import { defaultBudget } from '../../schema/route.js';
import type { RequestMetrics } from '../telemetry/request-metrics.js';
import { BackendState } from './balance/backend.js';
import type { EndpointRecord } from './balance/endpoint.js';
import type { RequestInfo } from './contract.js';
import type { FlowParts } from './parts.js';
import { Budget } from './retry/budget.js';
import { looksAtPath, pathOf } from './route/match.js';
import { isSame } from './route/compiled-route.js';
import { RouteState } from './route/route-state.js';
import type { Judged, Looks } from './route/target.js';
import type { DeclaredProtocol } from '../../schema/choices.js';

/** Fronts read the name and the protocol, and pass this object to begin(). */
export interface DestinationState {
  /** `cart.retail`; `unknown` for an address that no destination covers. */
  readonly name: string;
  readonly protocol: DeclaredProtocol;
  /** False: forwarded unchanged to the original address, or refused at begin, as the state's policy says. */
  readonly known: boolean;
}

export class CompiledDestination implements DestinationState {
  readonly name: string;
  readonly known: boolean;
  protocol: DestinationState['protocol'];
  source: Destination;
  routes: readonly RouteState[] = [];
  backends = new Map<string, BackendState>();
  defaultRoute: RouteState;
  mismatches = 0;
  /**
   * The budget for retries without a policy: those of requests that were not processed or met a connection just
   * closed.
   */
  budget: Budget;
  looksAtPaths: Looks = 'nobody';
  /** The reason why it answers 500 to everything; empty: it serves. */
  unservable = '';
  /** The reason why nothing may be sent; empty: requests may be sent. */
  refused = '';
  readonly #parts: FlowParts;

  constructor(source: Destination, parts: FlowParts, known = true) {
    this.name = source.name;
    this.known = known;
    this.protocol = source.protocol;
    this.source = source;
    this.#parts = parts;
    for (const backend of source.backends) {
      this.backends.set(backend.name, new BackendState(source.name, backend, parts));
    }
    this.budget = new Budget(source.retryBudget ?? defaultBudget, parts.clock.monotonicMs());
    this.defaultRoute = this.#compileDefault(source);
    this.routes = this.#compileAll(source, this.backends);
    this.looksAtPaths = source.routes.some(looksAtPath) ? 'routes' : 'nobody';
  }

  /** The reason why nothing of it can be served; empty: it can be served. */
  static problem(source: Destination): string {
    if (source.backends.length === 0) return 'no backend';
    for (const backend of source.backends) {
      for (const { address } of backend.endpoints) {
        const port = Number(address.slice(address.lastIndexOf(':') + 1));
        if (!(port > 0 && port < 65_536) || !address.includes(':')) {
          return `backend ${backend.name}: ${address} is not ip:port`;
        }
      }
    }
    return '';
  }

  /**
   * Takes a changed definition, keeping the parts that stay. Returns the endpoints that were removed. The definition
   * must have been checked.
   */
  update(source: Destination): EndpointRecord[] {
    const gone: EndpointRecord[] = [];
    const backends = new Map<string, BackendState>();
    for (const backend of source.backends) {
      const state = this.backends.get(backend.name);
      if (state) gone.push(...state.update(backend));
      backends.set(backend.name, state ?? new BackendState(source.name, backend, this.#parts));
    }
    for (const [name, state] of this.backends) {
      if (!backends.has(name)) gone.push(...state.endpoints);
    }
    this.backends = backends;
    const before = this.routes;
    this.routes = this.#compileAll(source, backends);
    this.looksAtPaths = source.routes.some(looksAtPath) ? 'routes' : 'nobody';
    for (const route of before) {
      if (!this.routes.some((r) => r.metrics === route.metrics)) {
        this.#parts.metrics.retire(route.metrics);
      }
    }
    const budget = source.retryBudget ?? defaultBudget;
    if (!isSame(budget, this.budget.policy)) {
      this.budget = new Budget(budget, this.#parts.clock.monotonicMs());
    }
    this.source = source;
    this.protocol = source.protocol;
    this.defaultRoute = this.#compileDefault(source);
    return gone;
  }

  /** Called when the destination is no longer configured. Returns its endpoints. */
  retire(): EndpointRecord[] {
    // All unknown destinations share their counters, so those are not retired.
    for (const { metrics } of this.known ? [...this.routes, this.defaultRoute] : []) {
      this.#parts.metrics.retire(metrics);
    }
    return [...this.backends.values()].flatMap((b) => b.endpoints);
  }

  /** The first route that matches, else the default one. */
  routeFor(request: RequestInfo, judged?: Judged): RouteState {
    const { routes } = this;
    if (routes.length === 0) return this.defaultRoute;
    const first = routes[0] as RouteState;
    if (first.matcher.always) return first;
    const path = judged ? judged.path : pathOf(request.path);
    for (let i = 0; i < routes.length; i++) {
      const route = routes[i] as RouteState;
      if (route.matcher.matches(request, path)) return route;
    }
    this.mismatches++;
    return this.defaultRoute;
  }

  /** A route from another namespace on this service applies to that namespace's clients only. */
  #routesFor(source: Destination): Route[] {
    const { namespace } = this.#parts.workload;
    return source.routes.filter(
      ({ clientNamespace }) => clientNamespace === undefined || clientNamespace === namespace,
    );
  }

  /** A route that cannot be matched is left out and reported; a route that cannot send anything on answers 500. */
  #compileAll(source: Destination, backends: ReadonlyMap<string, BackendState>): RouteState[] {
    const routes: RouteState[] = [];
    for (const route of this.#routesFor(source)) {
      const unmatched = matchProblem(route);
      const problem = unmatched || routeProblem(route, backends);
      if (problem !== '') {
        const { name } = source;
        this.#parts.audit(
          JSON.stringify({ unservable: 'route', destination: name, route: route.name, problem }),
        );
      }
      if (unmatched !== '') continue;
      const state = this.#compile(route, source, backends);
      state.unservable = problem;
      routes.push(state);
    }
    return routes;
  }

  #compileDefault(source: Destination): RouteState {
    const backend = source.backends[0]?.name ?? '';
    const route: Route = {
      name: 'default',
      matches: [],
      split: [{ backend, weight: 1 }],
      timeouts: {},
    };
    return this.#compile(route, source, this.backends);
  }

  #compile(
    route: Route,
    source: Destination,
    backends: ReadonlyMap<string, BackendState>,
  ): RouteState {
    const { clock, random } = this.#parts;
    const before = this.routes.find((r) => r.name === route.name);
    const metrics = this.#metrics(route.name, source);
    const state = new RouteState({ source: route, metrics, backends, before, clock, random });
    const budget = state.retry?.budget;
    metrics.hasRetries = state.retry !== undefined;
    metrics.hasHedges = state.hedgeAfterMs !== undefined;
    metrics.budgetRemaining = budget && (() => budget.remaining(clock.monotonicMs()));
    return state;
  }

  #metrics(route: string, { name, service, namespace }: Destination): RequestMetrics {
    return this.#parts.metrics.route({
      direction: 'outbound',
      dst: name,
      service,
      namespace,
      route,
    });
  }
}

/**
 * The reason why a route cannot send anything on; empty: it can. Such a route answers 500 and affects no other route.
 */
function routeProblem(route: Route, backends: ReadonlyMap<string, unknown>): string {
  const missing = route.split.find(({ backend }) => !backends.has(backend));
  return missing === undefined ? '' : `no backend ${missing.backend}`;
}

/** The reason why no request can be matched with a route; empty: requests can be matched. */
export function matchProblem(route: Pick<Route, 'matches'>): string {
  for (const match of route.matches) {
    const patterns = [
      match.path?.kind === 'regex' ? match.path.value : undefined,
      ...(match.headers ?? []).map((h) => (h.kind === 'regex' ? h.value : undefined)),
      ...(match.query ?? []).map((q) => (q.kind === 'regex' ? q.value : undefined)),
    ];
    for (const pattern of patterns) {
      const problem = pattern === undefined ? undefined : patternProblem(pattern);
      if (problem !== undefined) return `${pattern}: ${problem}`;
    }
  }
  return '';
}
