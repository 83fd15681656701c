/** One run: clients, the proxy's own flow, and servers, on one clock. */
import type { Timer } from '../../base/clock.js';
import { type Random, seededRandom } from '../../base/random.js';
import type { Destination } from '../model.js';
import type { EndpointState, End, Flow, RequestInfo, TryFailure } from '../proxy/flow/contract.js';
import { createGateway, type Gateway } from '../proxy/flow/gateway.js';
import { hedgedTries } from '../proxy/hedge.js';
import type { Try, TryHandler } from '../proxy/seam.js';
import { changed } from './change.js';
import { EventClock } from './event-clock.js';
import { SimulatedServer } from './servers.js';
import type { Client, Incident, Variant } from './spec.js';

/** The results of one second, by the arrival of requests. */
export interface Second {
  requests: number;
  succeeded: number;
  /** Attempts that reached servers in this second, whenever their request arrived. */
  tries: number;
  /** Endpoints that were not ready at the end of the second. */
  unready: number;
}

export interface Run {
  seconds: Second[];
  /** Latencies of answered requests, from arrival to answer, in milliseconds, ascending. */
  latenciesMs: Float64Array;
  ejections: number;
  retries: number;
  /** Retries that the budget (or the lack of endpoints) forbade. */
  retriesForbidden: number;
  /** Retries to an endpoint that should not be used. Any value but 0 is a defect of the proxy. */
  retriesToSameEndpoint: number;
  /**
   * Requests that endpoints still count as pending after the last has ended. Any value but 0 is a defect of the
   * proxy.
   */
  leftOver: number;
}

/** Requests in flight may end within this time after the last arrival. */
const tailMs = 30_000;

export function simulate(incident: Incident, variant: Variant): Run {
  const clock = new EventClock(Date.UTC(2026, 0, 1));
  const destination = changed(incident.destination, variant);
  const gateway = gatewayFor(destination, clock, seededRandom(incident.seed));
  const world = new World(incident, gateway, clock);
  // Arrivals have a generator of their own, so that every variant gets the same arrivals.
  const arrivals = seededRandom(incident.seed + 1);
  for (const client of incident.clients) world.schedule(client, arrivals);
  clock.run(incident.duration + tailMs);
  world.stop();
  return world.result();
}

function gatewayFor(destination: Destination, clock: EventClock, random: Random): Gateway {
  const gateway = createGateway({
    config: {
      workload: { name: 'client', namespace: 'simulated' },
      admin: { host: '127.0.0.1', port: 0 },
    },
    clock,
    random,
    version: 'simulated',
    log: () => undefined,
  });
  gateway.apply({
    version: 1,
    destinations: [destination],
    servers: [],
    unknownDestinations: 'refuse',
  });
  return gateway;
}

class World {
  readonly clock: EventClock;
  readonly gateway: Gateway;
  readonly servers: Map<string, SimulatedServer>;
  readonly seconds: Second[];
  readonly latencies: number[] = [];
  readonly #incident: Incident;
  readonly #watch: Timer;

  constructor(incident: Incident, gateway: Gateway, clock: EventClock) {
    this.clock = clock;
    this.gateway = gateway;
    this.#incident = incident;
    const random = seededRandom(incident.seed + 2);
    const addresses = incident.destination.backends.flatMap((b) => b.endpoints);
    this.servers = new Map(
      addresses.map(({ address }) => [
        address,
        new SimulatedServer(address, incident, { clock, random }),
      ]),
    );
    this.seconds = Array.from({ length: Math.ceil(incident.duration / 1000) }, () => ({
      requests: 0,
      succeeded: 0,
      tries: 0,
      unready: 0,
    }));
    this.#watch = clock.every(1000, () => {
      const second = this.seconds[Math.round(clock.monotonicMs() / 1000) - 1];
      if (!second) return;
      second.unready = gateway.endpoints().filter((e) => !/ready|slow/.test(e.state)).length;
    });
  }

  /** Poisson arrivals: the gaps are exponential. */
  schedule(client: Client, random: Random): void {
    const endMs = Math.min(client.to ?? Infinity, this.#incident.duration);
    const next = (): void => {
      const gapMs = (-Math.log(1 - random.next()) / client.ratePerSecond) * 1000;
      if (this.clock.monotonicMs() + gapMs >= endMs) return;
      this.clock.after(gapMs, () => {
        new SimulatedRequest(this, client).begin();
        next();
      });
    };
    this.clock.after(client.from, next);
  }

  secondOf(ms: number): Second | undefined {
    return this.seconds[Math.floor(ms / 1000)];
  }

  stop(): void {
    this.#watch.cancel();
  }

  result(): Run {
    const destination = this.gateway.outbound.destinationFor(this.#incident.destination.name);
    const compiled = [...this.gateway.outbound.destinations()].find((d) => d === destination);
    const routes = compiled ? [...compiled.routes, compiled.defaultRoute] : [];
    const sum = (read: (m: (typeof routes)[number]['metrics']) => number): number =>
      routes.reduce((total, r) => total + read(r.metrics), 0);
    return {
      seconds: this.seconds,
      latenciesMs: Float64Array.from(this.latencies).sort(),
      ejections: this.gateway.endpoints().reduce((total, e) => total + e.ejections, 0),
      retries: sum((m) => m.retryRequests),
      retriesForbidden: sum((m) => m.retryOverflow),
      retriesToSameEndpoint: sum((m) => m.retrySameEndpoint),
      leftOver:
        sum((m) => m.inFlight) +
        this.gateway.endpoints().reduce((total, e) => total + e.pending, 0),
    };
  }
}

/** A front without sockets: makes the calls of contract.ts in their order. */
class SimulatedRequest implements TryHandler {
  readonly #world: World;
  readonly #client: Client;
  readonly #arrivedMs: number;
  readonly #flow: Flow;
  readonly #timers: Timer[] = [];
  #tryTimer: Timer | undefined;
  /** The attempt in flight, with its copy. */
  #try: Try | undefined;
  #isOver = false;

  constructor(world: World, client: Client) {
    this.#world = world;
    this.#client = client;
    this.#arrivedMs = world.clock.monotonicMs();
    const { outbound } = world.gateway;
    const destination = outbound.destinations()[Symbol.iterator]().next().value;
    if (!destination) throw new Error('no destination to simulate');
    this.#flow = outbound.begin(destination, requestOf(client, destination.name));
  }

  begin(): void {
    const { clock } = this.#world;
    const second = this.#world.secondOf(this.#arrivedMs);
    if (second) second.requests++;
    const { requestTimeoutMs, delayMs } = this.#flow;
    if (requestTimeoutMs > 0) {
      this.#timers.push(clock.after(requestTimeoutMs, () => this.#deadline()));
    }
    const { giveUpAfter } = this.#client;
    this.#timers.push(clock.after(giveUpAfter, () => this.#end('client-gone', 0)));
    if (delayMs > 0) this.#timers.push(clock.after(delayMs, () => this.#step()));
    else this.#step();
  }

  #step(): void {
    if (this.#isOver) return;
    const flow = this.#flow;
    const { clock } = this.#world;
    if (flow.refusal) return this.#end('complete', flow.refusal.status);
    const endpoint = flow.pick();
    if (!endpoint) {
      if (flow.refusal) return this.#step();
      return void clock.after(flow.waitMs, () => this.#step());
    }
    const { perTryTimeoutMs } = flow;
    if (perTryTimeoutMs > 0) {
      this.#tryTimer = clock.after(perTryTimeoutMs, () => {
        this.#drop();
        this.failed('try-timeout');
      });
    }
    const open = hedgedTries(flow, clock, (to, _, handler) => this.#send(to, handler));
    this.#try = open(endpoint, { ...this.#client, ...headOnly }, this);
  }

  #send({ address }: EndpointState, handler: TryHandler): Try {
    const { clock, servers } = this.#world;
    const second = this.#world.secondOf(clock.monotonicMs());
    if (second) second.tries++;
    let isWanted = true;
    servers.get(address)?.serve((reply) => {
      if (!isWanted) return;
      if (reply.kind === 'refused') handler.failed('refused');
      else if (reply.kind === 'answer') handler.head(reply.status, [], true);
    });
    const abort = (): void => {
      isWanted = false;
    };
    return { isOpen: true, abort, write: () => true, end: nothing, consumed: nothing };
  }

  #drop(): void {
    this.#tryTimer?.cancel();
    this.#try?.abort();
    this.#try = undefined;
  }

  head(status: number): void {
    this.#drop();
    if (this.#flow.responded(status, -1) === 'retry') this.#again();
    else this.#end('complete', status);
  }

  failed(why: TryFailure): void {
    this.#drop();
    if (this.#flow.tryFailed(why) === 'retry') this.#again();
    else this.#step();
  }

  readonly informational = nothing;
  readonly data = nothing;
  readonly ended = nothing;
  readonly drained = nothing;

  #again(): void {
    const delayMs = this.#flow.retryDelayMs();
    if (delayMs > 0) this.#world.clock.after(delayMs, () => this.#step());
    else this.#step();
  }

  #deadline(): void {
    if (this.#isOver) return;
    this.#drop();
    this.#flow.tryFailed('request-timeout');
    this.#end('complete', this.#flow.refusal?.status ?? 504);
  }

  #end(how: End, status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#drop();
    for (const timer of this.#timers) timer.cancel();
    this.#flow.ended(how, -1, 0, 0);
    if (how === 'client-gone') return;
    const second = this.#world.secondOf(this.#arrivedMs);
    if (status < 500 && status !== 429 && second) second.succeeded++;
    this.#world.latencies.push(this.#world.clock.monotonicMs() - this.#arrivedMs);
  }
}

const nothing = (): void => undefined;
const headOnly = { scheme: 'http', authority: 'simulated', headers: [], hasBody: false };

const requestOf = ({ method, path }: Client, authority: string): RequestInfo => ({
  method,
  path,
  authority,
  isGrpc: false,
  header: () => undefined,
  peerIdentity: undefined,
  peerAddress: '127.0.0.1',
  tls: 'loopback',
});
