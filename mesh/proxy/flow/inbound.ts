/** The inbound side: finds the server of a port, authorizes its callers, and carries requests to the app. */
import type { MeshState } from '../../model.js';
import type { Peer } from '../../policy/authorize.js';
import {
  type ConnectionFlow,
  type EndpointState,
  type Flow,
  isOwn,
  type RequestInfo,
  type TlsLabel,
} from './contract.js';
import { InboundRequest } from './inbound-request.js';
import { type FlowParts, ownDestination } from './parts.js';
import { judge } from './route/target.js';
import { CompiledServer, type ServerState } from './server.js';
import { UndeclaredPorts } from './undeclared.js';

export type { ServerState } from './server.js';

export class InboundFlow {
  readonly #parts: FlowParts;
  #servers: CompiledServer[] = [];
  readonly #undeclared: UndeclaredPorts;
  /** The app's listener moved: close idle connections to the old address. */
  onEndpointRemoved: (endpoint: EndpointState) => void = () => undefined;
  /** Grows with each apply(). */
  generation = 0;
  /** Requests and connections begun since the start. */
  begun = 0;

  constructor(parts: FlowParts) {
    this.#parts = parts;
    this.#undeclared = new UndeclaredPorts(parts);
    this.#undeclared.onRemoved = (endpoint) => this.onEndpointRemoved(endpoint);
  }

  /** Throws when a state cannot be served; the old state stays in use. */
  apply(state: MeshState): void {
    this.prepare(state)();
  }

  /** Checks the state; the returned function applies it and cannot fail. */
  prepare(state: MeshState): () => void {
    const names = new Set<string>();
    for (const server of state.servers) {
      if (names.has(server.name)) throw new Error(`two servers ${server.name}`);
      names.add(server.name);
      CompiledServer.check(server);
    }
    return () => this.#commit(state);
  }

  /**
   * The server of the port. In transparent mode (`dialled`, `ip:port`) it is the original destination's server, or
   * the server of port 0 if no other has it; otherwise the server of the proxy's own port, or the only server.
   */
  serverFor(port: number, dialled?: string): ServerState | undefined {
    const own = this.#servers.find((s) => s.port === port);
    if (own) return own;
    if (dialled !== undefined) return this.#undeclared.serverFor(dialled);
    const [only, another] = this.#servers;
    return another || only?.port === 0 ? undefined : only;
  }

  /**
   * Asked once per connection, after the handshake, before any byte is read: false when no request could be allowed.
   */
  mayConnect(server: ServerState, peer: Peer): boolean {
    return (server as CompiledServer).authorization.mayConnect(peer);
  }

  /** Asked again for an opaque connection, by the policy that the server has now. */
  mayStay(server: ServerState, peer: Peer, tls: TlsLabel): boolean {
    return this.#present(server as CompiledServer).authorization.mayStay(peer, tls);
  }

  /** Asked again for an upgraded connection, by the policy that the server has now. */
  mayGoOn(server: ServerState, request: RequestInfo, identity: string | undefined): boolean {
    const compiled = this.#present(server as CompiledServer);
    return compiled.mayGoOn(request, identity, judge(request.path, compiled.looksAtPaths));
  }

  begin(server: ServerState, request: RequestInfo): Flow {
    this.begun++;
    // A connection keeps its server; after a change of policy the new server of that name decides.
    const compiled = this.#present(server as CompiledServer);
    const nowMs = this.#parts.clock.monotonicMs();
    const judged = judge(request.path, compiled.looksAtPaths);
    const route = compiled.routeFor(request, judged);
    return new InboundRequest(this.#parts, compiled, route, request, judged, nowMs);
  }

  /** An opaque connection: `refusal` is set when the server's policy does not let this peer in. */
  connect(server: ServerState, peer: Peer, tls: TlsLabel = 'disabled'): ConnectionFlow {
    this.begun++;
    const compiled = this.#present(server as CompiledServer);
    const { target, authorization } = compiled;
    const { faults } = this.#parts;
    const verdict = authorization.decide(peer.identity, peer.address, '', tls, true);
    const strike =
      faults.inbound > 0
        ? faults.strike('inbound', {
            destination: ownDestination(this.#parts.workload),
            route: undefined,
            method: undefined,
            path: undefined,
            identity: peer.identity,
          })
        : undefined;
    let refusal: ConnectionFlow['refusal'] = verdict.allowed ? undefined : { kind: 'answer' };
    if (strike?.blackhole) refusal = { kind: 'blackhole' };
    else if (strike && (strike.reset || strike.abortStatus > 0)) refusal = { kind: 'reset' };
    let holds = false;
    return {
      get refusal() {
        return refusal;
      },
      delayMs: strike?.delayMs ?? 0,
      bytesPerSecond: strike?.bytesPerSecond ?? 0,
      slowed: strike?.slowed,
      hold: strike?.hold,
      waitMs: 0,
      perTryTimeoutMs: 0,
      mirror: undefined,
      pick() {
        if (!holds) target.pending++;
        holds = true;
        target.requests++;
        return target;
      },
      connected: () => undefined,
      tryFailed(why) {
        if (!isOwn(why)) target.failures++;
        refusal = { kind: 'answer' };
        return 'fail';
      },
      retryDelayMs: () => 0,
      ended() {
        strike?.hold?.end();
        if (holds) target.pending--;
        holds = false;
      },
    };
  }

  servers(): readonly CompiledServer[] {
    return this.#servers;
  }

  #present(server: CompiledServer): CompiledServer {
    if (this.#servers.includes(server)) return server;
    const { name } = server;
    if (this.#servers.some((s) => s.port === 0 && s.name === name)) {
      return this.#undeclared.serverFor(server.target.address) ?? server;
    }
    return this.#servers.find((s) => s.name === server.name) ?? server;
  }

  #commit(state: MeshState): void {
    const before = this.#servers;
    this.#servers = state.servers.map((source) => {
      const old = before.find((s) => s.name === source.name);
      if (old && JSON.stringify(old.source) === JSON.stringify(source)) return old;
      return new CompiledServer(source, this.#parts, old);
    });
    this.#undeclared.apply(this.#servers.find((s) => s.port === 0));
    this.generation++;
    const routes = new Set(this.#servers.flatMap((s) => s.routes.map((r) => r.metrics)));
    for (const old of before) {
      for (const { metrics } of old.routes) {
        if (!routes.has(metrics)) this.#parts.metrics.retire(metrics);
      }
      if (!this.#servers.some((s) => s.target === old.target)) this.onEndpointRemoved(old.target);
    }
  }
}
