/** One compiled port of the workload: its routes, authorization and concurrency limit. */
import type { InboundServer, Route } from '../../model.js';
import { isNetwork } from '../../policy/authorize.js';
import { ServerAuthorization } from './authorization.js';
import { EndpointRecord } from './balance/endpoint.js';
import type { EndpointState, HeaderList, RequestInfo } from './contract.js';
import { matchProblem } from './destination.js';
import { Shedder } from './limit/shedder.js';
import type { RateLimiter } from './limit/rate-limiter.js';
import { type FlowParts, ownDestination } from './parts.js';
import { CompiledRoute, limiterOf } from './route/compiled-route.js';
import { looksAtPath, pathOf } from './route/match.js';
import type { Judged, Looks } from './route/target.js';
import type { DeclaredProtocol } from '../../schema/choices.js';

/** The fields that the fronts read. */
export interface ServerState {
  readonly name: string;
  readonly port: number;
  readonly protocol: DeclaredProtocol;
  /** The app's listener. */
  readonly target: EndpointState;
}

const clientIdHeader = 'l5d-client-id';
/** Identities whose header is kept ready. */
const maxIdentities = 1000;

export class CompiledServer implements ServerState {
  readonly source: InboundServer;
  readonly name: string;
  readonly port: number;
  readonly protocol: ServerState['protocol'];
  readonly target: EndpointRecord;
  readonly routes: readonly CompiledRoute[];
  readonly defaultRoute: CompiledRoute;
  readonly authorization: ServerAuthorization;
  readonly limiter: RateLimiter | undefined;
  readonly shedder: Shedder | undefined;
  readonly looksAtPaths: Looks;
  readonly counts: { inFlight: number; mismatches: number; limited: number };
  readonly #identityHeaders = new Map<string, HeaderList>();

  constructor(source: InboundServer, parts: FlowParts, before: CompiledServer | undefined) {
    const nowMs = parts.clock.monotonicMs();
    this.source = source;
    this.name = source.name;
    this.port = source.port;
    this.protocol = source.protocol;
    const limits = { maxConnections: 1024, maxPending: 1024, maxRequests: 100_000 };
    this.target =
      before?.target.address === source.target
        ? before.target
        : new EndpointRecord({ address: source.target }, limits, 1, nowMs);
    const isAuthorizedByRoute = source.authorizations.some((a) => a.routes);
    const matches = isAuthorizedByRoute ? source.routes.flatMap((route) => route.matches) : [];
    const judged = matches.flatMap((m) => m.headers ?? []).map((h) => h.name.toLowerCase());
    const compile = (route: Route): CompiledRoute => {
      const { name, service = name, namespace } = parts.workload;
      const metrics = parts.metrics.route({
        direction: 'inbound',
        dst: ownDestination(parts.workload),
        service,
        namespace,
        route: route.name,
        server: source.name,
      });
      const old = before?.routes.find((r) => r.name === route.name);
      return new CompiledRoute(route, metrics, old, nowMs, judged);
    };
    this.routes = source.routes.flatMap((route) => {
      const problem = matchProblem(route);
      if (problem === '') return [compile(route)];
      const { name } = source;
      parts.audit(
        JSON.stringify({ unservable: 'route', server: name, route: route.name, problem }),
      );
      if (!isAuthorizedByRoute) return [];
      // It is unknown which clients this route would allow: requests that no earlier route takes are answered 500.
      const closed = compile({ ...route, matches: [] });
      closed.unservable = problem;
      return [closed];
    });
    this.defaultRoute = compile({ name: 'default', matches: [], split: [], timeouts: {} });
    if (!source.routes.some(looksAtPath)) this.looksAtPaths = 'nobody';
    else this.looksAtPaths = isAuthorizedByRoute ? 'policy' : 'routes';
    this.authorization = new ServerAuthorization(source, parts, before?.authorization);
    this.limiter = source.rateLimit && limiterOf(source.rateLimit, before?.limiter, nowMs);
    this.counts = before?.counts ?? { inFlight: 0, mismatches: 0, limited: 0 };
    if (source.maxConcurrent !== undefined) {
      const same = before?.shedder?.max === source.maxConcurrent ? before.shedder : undefined;
      this.shedder = same ?? new Shedder(source.maxConcurrent);
    }
  }

  /** Throws when a server cannot be served, before anything is changed. */
  static check(source: InboundServer): void {
    const fail = (what: string): never => {
      throw new Error(`server ${source.name}: ${what}`);
    };
    for (const network of source.authorizations.flatMap((a) => a.networks ?? [])) {
      if (!isNetwork(network)) fail(`${JSON.stringify(network)} is not a network`);
    }
    const port = Number(source.target.slice(source.target.lastIndexOf(':') + 1));
    if (source.port !== 0 && (!source.target.includes(':') || !(port > 0 && port < 65_536))) {
      fail(`target ${source.target} is not ip:port`);
    }
  }

  routeFor(request: RequestInfo, judged?: Judged): CompiledRoute {
    if (this.routes.length === 0) return this.defaultRoute;
    const route = this.#routeOf(request, judged ? judged.path : pathOf(request.path));
    if (!route) this.counts.mismatches++;
    return route ?? this.defaultRoute;
  }

  #routeOf(request: RequestInfo, path: string): CompiledRoute | undefined {
    const { routes } = this;
    for (let i = 0; i < routes.length; i++) {
      const route = routes[i] as CompiledRoute;
      if (route.matcher.matches(request, path)) return route;
    }
    return undefined;
  }

  /** The route whose rights the request needs: a path with two readings needs those of both. */
  guardOf(
    route: CompiledRoute,
    request: RequestInfo,
    judged: Judged | undefined,
    identity = request.peerIdentity,
  ): CompiledRoute {
    if (judged?.other === undefined) return route;
    const other = this.#routeOf(request, judged.other) ?? this.defaultRoute;
    return this.authorization.allows(identity, request.peerAddress, other.name) ? route : other;
  }

  /** Whether the request would be let in now, from a client with this identity. A refusal is counted. */
  mayGoOn(request: RequestInfo, identity: string | undefined, judged: Judged | undefined): boolean {
    if (judged && judged.problem !== '') return false;
    const path = judged ? judged.path : pathOf(request.path);
    const route = this.#routeOf(request, path) ?? this.defaultRoute;
    const guard = this.guardOf(route, request, judged, identity);
    const { peerAddress, tls } = request;
    if (!this.authorization.allows(identity, peerAddress, guard.name)) {
      this.authorization.decide(identity, peerAddress, guard.name, tls, false);
      return false;
    }
    return route.unservable === '';
  }

  /** Returns the same array for the same identity, so that a front may keep its serialised form. */
  identityHeader(identity: string): HeaderList {
    let headers = this.#identityHeaders.get(identity);
    if (!headers) {
      if (this.#identityHeaders.size >= maxIdentities) this.#identityHeaders.clear();
      headers = [clientIdHeader, identity];
      this.#identityHeaders.set(identity, headers);
    }
    return headers;
  }
}
