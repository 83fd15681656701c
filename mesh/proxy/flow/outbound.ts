/** The outbound side: finds the destination of a host or address, and begins requests to it. */
import type { Destination, MeshState } from '../../model.js';
import type { EndpointRecord } from './balance/endpoint.js';
import type { ConnectionFlow, EndpointState, Flow, RequestInfo } from './contract.js';
import { CompiledDestination, type DestinationState } from './destination.js';
import { type AddressedPeer, DestinationTable, hostOf } from './destination-table.js';
import { OutboundConnection } from './outbound-connection.js';
import { OutboundRequest } from './outbound-request.js';
import type { FlowParts } from './parts.js';
import { loop } from './refusal.js';
import { judge } from './route/target.js';

export type { DestinationState } from './destination.js';

/** Remembered addresses outside the mesh; the oldest is forgotten first. */
const maxForwards = 1000;

export class OutboundFlow {
  readonly #parts: FlowParts;
  #byName = new Map<string, CompiledDestination>();
  #table = new DestinationTable([]);
  readonly #forwards = new Map<string, CompiledDestination>();
  #nobody: CompiledDestination | undefined;
  #unknown: MeshState['unknownDestinations'] = 'forward';
  /** The front closes the endpoint's idle connections and releases `endpoint.pool`; connections in use finish. */
  onEndpointRemoved: (endpoint: EndpointState) => void = () => undefined;
  /** `ip:port` of this proxy's own listeners: requests are never forwarded to them, which would be a loop. */
  ownAddresses: ReadonlySet<string> = new Set();
  /** Grows with each apply(). */
  generation = 0;
  /** Requests and connections begun since the start. */
  begun = 0;

  constructor(parts: FlowParts) {
    this.#parts = parts;
  }

  /** Throws when a state cannot be served; the old state stays in use. */
  apply(state: MeshState): void {
    this.prepare(state)();
  }

  /** Checks the state; the returned function applies it and cannot fail. */
  prepare(state: MeshState): () => void {
    const names = new Set<string>();
    for (const destination of state.destinations) {
      if (names.has(destination.name)) throw new Error(`two destinations ${destination.name}`);
      names.add(destination.name);
    }
    return () => this.#commit(state);
  }

  /**
   * The destination of an intercepted connection's original `ip:port` if that is a service's address, else of the
   * authority (Host), with or without a port. Cheap, but keep the answer with the connection until `generation`
   * changes.
   */
  destinationFor(authority: string, originalDst?: string): DestinationState {
    const named = this.#table.byAuthority(authority);
    if (originalDst === undefined) {
      return named ?? (authority === '' ? this.#nameless() : this.#forward(withPort(authority)));
    }
    return (
      this.#table.byAddress(originalDst) ??
      (named?.source.headless ? this.#table.headless(authority, originalDst) : named) ??
      this.#forward(originalDst)
    );
  }

  begin(destination: DestinationState, request: RequestInfo): Flow {
    this.begun++;
    const compiled = destination as CompiledDestination;
    const nowMs = this.#parts.clock.monotonicMs();
    const judged = judge(request.path, compiled.looksAtPaths);
    const route = compiled.routeFor(request, judged);
    return new OutboundRequest(this.#parts, compiled, route, request, judged, nowMs);
  }

  /** An opaque connection, balanced as one. */
  connect(destination: DestinationState, _peerAddress: string): ConnectionFlow {
    this.begun++;
    return new OutboundConnection(this.#parts, destination as CompiledDestination);
  }

  /** The destinations of the state, without the forwarded ones. */
  destinations(): Iterable<CompiledDestination> {
    return this.#byName.values();
  }

  #commit(state: MeshState): void {
    const before = this.#byName;
    const next = new Map<string, CompiledDestination>();
    const gone: EndpointRecord[] = [];
    for (const given of state.destinations) {
      const problem = CompiledDestination.problem(given);
      const source = problem === '' ? given : emptied(given);
      const old = before.get(source.name);
      const compiled = old ?? new CompiledDestination(source, this.#parts);
      if (old && !isSameDestination(old.source, source)) gone.push(...old.update(source));
      compiled.unservable = problem;
      next.set(source.name, compiled);
    }
    for (const [name, old] of before) if (!next.has(name)) gone.push(...old.retire());
    this.#byName = next;
    this.#table = new DestinationTable(next.values());
    if (state.unknownDestinations !== this.#unknown) {
      this.#unknown = state.unknownDestinations;
      for (const forward of this.#forwards.values()) gone.push(...forward.retire());
      this.#forwards.clear();
    }
    for (const [address, forward] of this.#forwards) {
      if (
        forward.source.backends[0]?.endpoints[0]?.identity === this.#table.peer(address)?.identity
      )
        continue;
      gone.push(...forward.retire());
      this.#forwards.delete(address);
    }
    this.generation++;
    for (const endpoint of gone) this.onEndpointRemoved(endpoint);
  }

  /** HTTP/1.0 may leave the host out: if there is only one destination, the request is for that one. */
  #nameless(): CompiledDestination {
    const [only] = this.#byName.values();
    if (only && this.#byName.size === 1) return only;
    if (!this.#nobody) {
      this.#nobody = new CompiledDestination(forwardTo('', 'no-host'), this.#parts, false);
      this.#nobody.refused = 'no Host and no absolute target: the destination is unknown';
    }
    return this.#nobody;
  }

  /**
   * An address that no destination covers: forwarded to where it was going, or refused, as the state's policy says.
   */
  #forward(address: string): CompiledDestination {
    let forward = this.#forwards.get(address);
    if (forward) return forward;
    const oldest = this.#forwards.size >= maxForwards ? this.#forwards.keys().next() : undefined;
    if (oldest && !oldest.done) {
      for (const e of this.#forwards.get(oldest.value)?.retire() ?? []) this.onEndpointRemoved(e);
      this.#forwards.delete(oldest.value);
    }
    const isLoop = this.ownAddresses.has(address);
    const peer = isLoop ? undefined : this.#table.peer(address);
    const source = forwardTo(address, isLoop ? 'loop' : 'unknown', peer);
    forward = new CompiledDestination(source, this.#parts, false);
    if (isLoop) forward.refused = loop;
    else if (this.#unknown === 'refuse' && !peer) {
      const host = hostOf(address)
        .slice(0, 200)
        .replace(/[^\x21-\x7e]/g, '?');
      forward.refused = `unknown destination ${host}`;
    }
    this.#forwards.set(address, forward);
    return forward;
  }
}

/** An authority without a port gets the port of plaintext HTTP. */
function withPort(authority: string): string {
  const lower = authority.toLowerCase();
  return /:\d+$/.test(lower) ? lower : `${lower.replace(/:$/, '')}:80`;
}

/** A destination that cannot be served keeps its name, answers 500, and holds up no other change. */
const emptied = (source: Destination): Destination => ({
  ...source,
  routes: [],
  backends: [
    {
      name: 'none',
      endpoints: [],
      balancer: { kind: 'random', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
      limits: { maxConnections: 1, maxPending: 0, maxRequests: 1 },
      failFastMs: 0,
    },
  ],
});

function isSameDestination(a: Destination, b: Destination): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/**
 * One endpoint, no policy. All unknown addresses share one name, so that clients cannot create series of metrics; a
 * known peer is counted with its service.
 */
function forwardTo(address: string, unknown: string, peer?: AddressedPeer): Destination {
  const { name, service, namespace } = peer?.destination.source ?? {
    name: unknown,
    service: '',
    namespace: '',
  };
  return {
    name,
    service,
    namespace,
    hosts: [],
    addresses: [],
    protocol: peer?.destination.protocol ?? 'detect',
    routes: [],
    backends: [
      {
        name: 'forward',
        endpoints: [{ address, ...(peer?.identity && { identity: peer.identity }) }],
        balancer: { kind: 'random', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
        limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 100_000 },
        failFastMs: 3000,
      },
    ],
  };
}
