/** One side of a proxy, inbound or outbound: its port, the protocols' fronts, and the connections to endpoints. */
import type { Clock, Timer } from '../../base/clock.js';
import type { ProxyConfig } from '../model.js';
import type { ConnectionFlow, EndpointState } from './flow/contract.js';
import type { Gateway } from './flow/gateway.js';
import { tunnelFailed, tunnelOpened } from './http1/answers.js';
import { Http1Front, type OpenTunnel } from './http1/front.js';
import { Http2Front } from './http2/front.js';
import { http1Tries } from './http1/http1-try.js';
import type { Serving } from './seam.js';
import { Connector } from './listen/connect.js';
import type { DeadlineWheel } from './listen/deadlines.js';
import { type Accepted, Listener } from './listen/listener.js';
import { Refusals } from './listen/refusals.js';
import type { OriginalDestination } from './listen/original-destination.js';
import { InboundServing, OutboundServing, Standing } from './listen/serving.js';
import { type Answers, OpaqueConnection } from './tcp/opaque-connection.js';
import type { IdentityStore } from './tls/identity-store.js';
import type { DeclaredProtocol } from '../schema/choices.js';

export interface SideParts {
  readonly config: ProxyConfig;
  readonly gateway: Gateway;
  readonly identity: IdentityStore;
  readonly clock: Clock;
  readonly deadlines: DeadlineWheel;
  log(this: void, line: string): void;
  /** Set in transparent mode. */
  readonly originalDestination: OriginalDestination | undefined;
}

type Direction = 'inbound' | 'outbound';

const handshakeTimeoutMs = 5000;
const detectTimeoutMs = 10_000;
const quietMs = 500;
/** Opaque and upgraded connections are judged again this often. */
const reviewMs = 1000;
/** The limit for heads of requests and answers, in both protocols. */
const defaultMaxHeadBytes = 64 * 1024;
const defaultMaxConnections = 10_000;
/** Peers are across a network, the app is not. */
const connectTimeoutMs = { inbound: 500, outbound: 1000 };

export abstract class Side {
  protected readonly parts: SideParts;
  readonly #direction: Direction;
  readonly #connector: Connector;
  protected readonly http1: Http1Front;
  protected readonly http2: Http2Front;
  protected readonly opaque = new Set<OpaqueConnection>();
  readonly #listeners: Listener[] = [];
  readonly #ports = new Set<number>();
  protected readonly refusals: Refusals;
  readonly #review: Timer;
  port = 0;

  constructor(direction: Direction, parts: SideParts) {
    this.parts = parts;
    this.#direction = direction;
    const { config, gateway, identity, clock, deadlines } = parts;
    this.refusals = new Refusals(direction, gateway.metrics, clock, parts.log);
    this.#connector = new Connector({
      direction,
      identity,
      metrics: gateway.metrics,
      clock,
      connectTimeoutMs: config.limits?.connectTimeoutMs ?? connectTimeoutMs[direction],
      handshakeTimeoutMs,
      ownPorts: this.#ports,
    });
    const { connect } = this.#connector;
    const { maxHeadBytes = defaultMaxHeadBytes } = config.limits ?? {};
    const { headTimeoutMs, idleTimeoutMs } = config.limits ?? {};
    this.http2 = new Http2Front({
      clock,
      deadlines,
      connect,
      openHttp1Try: http1Tries({ connect, deadlines, maxHeadBytes }),
      limits: {
        maxHeaderListBytes: maxHeadBytes,
        ...(idleTimeoutMs !== undefined && { idleMs: idleTimeoutMs }),
      },
    });
    this.http1 = new Http1Front({
      connect,
      deadlines,
      openHttp2Try: this.http2.openTry,
      carrier: config.http1BetweenProxies === 'http1' ? undefined : this.http2,
      ...(direction === 'outbound' && {
        openTunnel: (...asked: Parameters<OpenTunnel>) => this.tunnel(...asked),
      }),
      limits: {
        maxHeadBytes,
        ...(headTimeoutMs !== undefined && { headTimeoutMs }),
        ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      },
    });
    this.#review = clock.every(reviewMs, () => {
      for (const connection of this.opaque) connection.review();
      this.http1.review(clock.nowMs());
    });
    gateway[direction].onEndpointRemoved = (endpoint: EndpointState) => {
      this.http1.forget(endpoint);
      this.http2.forget(endpoint);
    };
  }

  /** Resolves to the port. */
  async listen(): Promise<number> {
    const { config, originalDestination } = this.parts;
    const { host, port, mode } = config[this.#direction] as NonNullable<ProxyConfig[Direction]>;
    const read = mode === 'transparent' ? originalDestination?.read : undefined;
    this.port = await this.#open(host, port, read);
    // A connection to one of these ports is for its destination, whatever Host it sends.
    for (const call of this.#direction === 'outbound' ? (config.calls ?? []) : []) {
      await this.#open(call.host, call.port, () => `${call.host}:${call.port}`);
    }
    return this.port;
  }

  async #open(
    host: string,
    port: number,
    originalDst: OriginalDestination['read'] | undefined,
  ): Promise<number> {
    const { config, gateway, identity, clock } = this.parts;
    const listener = new Listener({
      direction: this.#direction,
      host,
      port,
      metrics: gateway.metrics,
      clock,
      identity,
      terminatesTls: config.identity !== undefined,
      maxConnections: config.limits?.maxConnections ?? defaultMaxConnections,
      refusals: this.refusals,
      detectTimeoutMs,
      handshakeTimeoutMs,
      originalDst,
      quietMs,
      declared: (originalDst) => this.declared(originalDst),
      accept: (accepted) => this.accept(accepted),
    });
    this.#listeners.push(listener);
    const chosen = await listener.listen();
    this.#ports.add(chosen);
    return chosen;
  }

  /** CONNECT, which only the outbound side serves. */
  protected tunnel(...[wire]: Parameters<OpenTunnel>): void {
    wire.destroy();
  }

  /** The protocol as configured, or known by the port. */
  protected abstract declared(originalDst: string | undefined): DeclaredProtocol;
  protected abstract accept(accepted: Accepted): void;

  protected relay(
    { wire, first, isGuess }: Pick<Accepted, 'wire' | 'first' | 'isGuess'>,
    flow: ConnectionFlow,
    more: { answers?: Answers; mayStay?: () => boolean } = {},
  ): void {
    const { answers, mayStay } = more;
    const connection = new OpaqueConnection(
      {
        deadlines: this.parts.deadlines,
        connector: this.#connector,
        ...(mayStay && { mayStay }),
        onClosed: (c) => this.opaque.delete(c),
      },
      wire,
      flow,
      { first, refusesHttp: isGuess, ...(answers && { answers }) },
    );
    this.opaque.add(connection);
    connection.start();
  }

  protected serve({ wire, first, spoken }: Accepted, serving: Serving): void {
    if (spoken === 'http2') this.http2.accept(wire, serving, first);
    else this.http1.accept(wire, serving, first);
  }

  /** Requests and opaque connections in flight. */
  get busy(): number {
    return this.http1.busy + this.http2.busy + this.opaque.size;
  }

  /** Of clients, with those whose handshake is not over. */
  get connections(): number {
    return this.#listeners.reduce((sum, { open }) => sum + open, 0);
  }

  /** From now on each answer is the last of its connection. */
  drain(): void {
    this.http1.drain();
    this.http2.drain();
  }

  endIdle(): void {
    this.http1.endIdle();
    this.http2.endIdle();
  }

  /** Accepts no new connections. */
  closePort(): void {
    for (const listener of this.#listeners) listener.close();
  }

  stop(): void {
    this.#review.cancel();
    this.closePort();
    this.http1.abandon();
    this.http2.abandon();
    for (const connection of this.opaque) connection.abandon();
  }
}

export class OutboundSide extends Side {
  constructor(parts: SideParts) {
    super('outbound', parts);
  }

  protected declared(originalDst: string | undefined): DeclaredProtocol {
    if (originalDst === undefined) return 'detect';
    const { config, gateway } = this.parts;
    const port = Number(originalDst.slice(originalDst.lastIndexOf(':') + 1));
    if (config.skipPorts?.outbound.includes(port)) return 'opaque';
    return gateway.outbound.destinationFor(originalDst, originalDst).protocol;
  }

  protected accept(accepted: Accepted): void {
    const { outbound } = this.parts.gateway;
    const { peerAddress, originalDst } = accepted;
    if (accepted.spoken === 'opaque') {
      // In explicit mode only HTTP names its destination.
      if (originalDst === undefined) return accepted.wire.destroy();
      const destination = outbound.destinationFor(originalDst, originalDst);
      return this.relay(accepted, outbound.connect(destination, peerAddress));
    }
    this.serve(accepted, new OutboundServing(outbound, peerAddress, originalDst));
  }

  protected override tunnel(
    ...[wire, serving, authority, head, rest]: Parameters<OpenTunnel>
  ): void {
    const { outbound } = this.parts.gateway;
    const { originalDst, peerAddress } = serving as OutboundServing;
    if (originalDst === undefined) {
      const flow = outbound.connect(outbound.destinationFor(authority), peerAddress);
      const answers = { opened: tunnelOpened, failed: tunnelFailed };
      return this.relay({ wire, first: rest, isGuess: false }, flow, { answers });
    }
    // The app uses another proxy of its own, which must answer.
    const first = Buffer.concat([Buffer.from(head, 'latin1'), rest]);
    const destination = outbound.destinationFor(originalDst, originalDst);
    this.relay({ wire, first, isGuess: false }, outbound.connect(destination, peerAddress));
  }
}

export class InboundSide extends Side {
  constructor(parts: SideParts) {
    super('inbound', parts);
  }

  #portOf(originalDst: string | undefined): number {
    if (originalDst === undefined) return this.port;
    return Number(originalDst.slice(originalDst.lastIndexOf(':') + 1));
  }

  protected declared(originalDst: string | undefined): DeclaredProtocol {
    const port = this.#portOf(originalDst);
    if (this.parts.config.skipPorts?.inbound.includes(port)) return 'opaque';
    return this.parts.gateway.inbound.serverFor(port, originalDst)?.protocol ?? 'detect';
  }

  protected accept(accepted: Accepted): void {
    const { inbound } = this.parts.gateway;
    const { wire, peerAddress, peerIdentity, originalDst } = accepted;
    const port = this.#portOf(originalDst);
    // A client that dials this port directly would be relayed back to it.
    const server =
      originalDst !== undefined && port === this.port
        ? undefined
        : inbound.serverFor(port, originalDst);
    const peer = { identity: peerIdentity, address: peerAddress };
    if (!server) {
      this.refusals.refused('no-server');
      return wire.destroy();
    }
    const tls = peerIdentity === undefined ? 'disabled' : 'true';
    const standing = new Standing(inbound, wire, this.parts.clock);
    const isSkipped = this.parts.config.skipPorts?.inbound.includes(port);
    // A port declared HTTP is read as HTTP; other bytes get a 400.
    const isHttp = server.protocol === 'http1' || server.protocol === 'http2';
    if (accepted.spoken === 'opaque' && (!isHttp || isSkipped)) {
      if (!inbound.mayConnect(server, peer)) return wire.destroy();
      const mayStay = (): boolean => {
        if (!standing.hasChanged()) return true;
        const identity = standing.isProven ? peerIdentity : undefined;
        return inbound.mayStay(server, { ...peer, identity }, tls);
      };
      return this.relay(accepted, inbound.connect(server, peer, tls), { mayStay });
    }
    // A refused client gets an answer to each request: a reset would not tell the reason.
    const client = { ...peer, tls } as const;
    const serving = new InboundServing(inbound, server, port, client, standing, originalDst);
    this.serve(accepted, serving);
  }
}
