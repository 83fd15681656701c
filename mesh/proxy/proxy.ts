/** One proxy, wired together: configuration in, ports out. Everything it needs of the world is passed to it. */
import type { Clock } from '../../base/clock.js';
import type { Random } from '../../base/random.js';
import type { MeshState, ProxyConfig } from '../model.js';
import type { ControllerClient } from '../controller/client/client.js';
import { AdminServer } from './admin/admin-server.js';
import { emptyState } from './config.js';
import { Drain } from './drain.js';
import { createGateway, type Gateway } from './flow/gateway.js';
import { Http1Front } from './http1/front.js';
import { Http2Front } from './http2/front.js';
import { http1Tries } from './http2/http1-try.js';
import { Connector } from './listen/connect.js';
import { DeadlineWheel } from './listen/deadlines.js';
import { type Accepted, Listener, type ListenerParts } from './listen/listener.js';
import { InboundServing, OutboundServing } from './listen/serving.js';
import { faults } from './listen/wire.js';
import { MemoryGuard } from './memory.js';
import { IdentityFiles, identityFiles } from './tls/identity-files.js';
import { IdentityStore } from './tls/identity-store.js';

export interface ProxyParts {
  config: ProxyConfig;
  clock: Clock;
  random: Random;
  version: string;
  log(line: string): void;
}

const handshakeTimeoutMs = 5000;
const detectTimeoutMs = 10_000;
const defaultMaxConnections = 10_000;
const defaultMaxMemoryBytes = 256 * 1024 * 1024;
/** Peers are across a network, the app is not. */
const outboundConnectMs = 1000;
const inboundConnectMs = 500;

export class Proxy {
  readonly config: ProxyConfig;
  readonly gateway: Gateway;
  readonly identity: IdentityStore;
  readonly memory: MemoryGuard;
  readonly drain: Drain;
  readonly #parts: ProxyParts;
  readonly #deadlines: DeadlineWheel;
  readonly inboundHttp1: Http1Front;
  readonly outboundHttp1: Http1Front;
  readonly inboundHttp2: Http2Front;
  readonly outboundHttp2: Http2Front;
  readonly #connectors: { inbound: Connector; outbound: Connector };
  #listeners: { inbound?: Listener; outbound?: Listener } = {};
  #ports: { inbound?: number; outbound?: number; admin?: number } = {};
  #admin: AdminServer | undefined;
  #files: IdentityFiles | undefined;
  #controller: ControllerClient | undefined;
  #state: MeshState | undefined;
  /** POST /shutdown: whoever runs the proxy decides what follows. */
  onShutdown: () => void = () => void this.drain.start();
  #stateSource: 'file' | 'cache' | 'fresh' | 'none' = 'none';

  constructor(parts: ProxyParts) {
    const { config, clock } = parts;
    this.config = config;
    this.#parts = parts;
    this.gateway = createGateway(parts);
    const { metrics } = this.gateway;
    this.identity = new IdentityStore(clock, metrics);
    this.#deadlines = new DeadlineWheel(clock);
    faults.report = (error) => {
      parts.log(`connection dropped: ${error instanceof Error ? error.stack : String(error)}`);
    };
    const connector = (direction: 'inbound' | 'outbound', defaultMs: number): Connector =>
      new Connector({
        direction,
        identity: this.identity,
        metrics,
        clock,
        connectTimeoutMs: config.limits?.connectTimeoutMs ?? defaultMs,
        handshakeTimeoutMs,
      });
    this.#connectors = {
      inbound: connector('inbound', inboundConnectMs),
      outbound: connector('outbound', outboundConnectMs),
    };
    this.inboundHttp2 = this.#http2(this.#connectors.inbound);
    this.outboundHttp2 = this.#http2(this.#connectors.outbound);
    this.inboundHttp1 = this.#http1(this.#connectors.inbound, this.inboundHttp2);
    this.outboundHttp1 = this.#http1(this.#connectors.outbound, this.outboundHttp2);
    this.gateway.inbound.onEndpointRemoved = (endpoint) => {
      this.inboundHttp1.forget(endpoint);
      this.inboundHttp2.forget(endpoint);
    };
    this.gateway.outbound.onEndpointRemoved = (endpoint) => {
      this.outboundHttp1.forget(endpoint);
      this.outboundHttp2.forget(endpoint);
    };
    this.memory = new MemoryGuard(
      config.limits?.maxMemoryBytes ?? defaultMaxMemoryBytes,
      (isShort) => {
        this.inboundHttp1.shedding = isShort;
        this.outboundHttp1.shedding = isShort;
        this.inboundHttp2.shedding = isShort;
        this.outboundHttp2.shedding = isShort;
      },
    );
    this.drain = new Drain(this, clock, (config.drainSeconds ?? 30) * 1000);
  }

  #http2({ connect }: Connector): Http2Front {
    const deadlines = this.#deadlines;
    const { idleTimeoutMs } = this.config.limits ?? {};
    return new Http2Front({
      clock: this.#parts.clock,
      deadlines,
      connect,
      openHttp1Try: http1Tries({ connect, deadlines }),
      limits: { ...(idleTimeoutMs !== undefined && { idleMs: idleTimeoutMs }) },
    });
  }

  #http1(connector: Connector, http2: Http2Front): Http1Front {
    const { maxHeadBytes, headTimeoutMs, idleTimeoutMs } = this.config.limits ?? {};
    return new Http1Front({
      connect: connector.connect,
      deadlines: this.#deadlines,
      openHttp2Try: http2.openTry,
      limits: {
        ...(maxHeadBytes !== undefined && { maxHeadBytes }),
        ...(headTimeoutMs !== undefined && { headTimeoutMs }),
        ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      },
    });
  }

  get ports(): { inbound?: number; outbound?: number; admin?: number } {
    return this.#ports;
  }

  get state(): MeshState {
    return this.#state ?? emptyState;
  }

  get stateSource(): string {
    return this.#stateSource;
  }

  get controller(): ControllerClient | undefined {
    return this.#controller;
  }

  /** Throws where it cannot be served; the one before stays. */
  apply(state: MeshState, source: 'file' | 'cache' | 'fresh'): void {
    this.gateway.apply(state);
    this.#state = state;
    this.#stateSource = source;
  }

  /** Why it should get no traffic; undefined: ready. */
  notReady(): string | undefined {
    if (this.drain.isDraining) return 'draining';
    if (!this.#state) return 'no configuration yet';
    if (this.config.identity && !this.identity.isReady) return 'no certificate yet';
    return undefined;
  }

  /** Resolves when the ports are open. Throws a UserError where that cannot be. */
  async start(): Promise<void> {
    const { config, clock } = this.#parts;
    // First: a proxy that waits for its controller can already be asked why.
    this.#admin = new AdminServer(this);
    this.#ports.admin = await this.#admin.listen(config.admin);
    this.memory.start(clock);
    const files = identityFiles(config);
    if (files && !config.controller) {
      this.#files = new IdentityFiles(files, this.identity, this.#parts.log);
      this.#files.start(clock);
    }
    if (config.state) this.apply(config.state, 'file');
    else if (!config.controller) this.apply(emptyState, 'file');
    if (config.controller) await this.#startController();
    await this.#listen();
  }

  async #startController(): Promise<void> {
    // Not needed, and not in memory, where there is no controller.
    const { startControllerClient } = await import('./controller-client.js');
    this.#controller = await startControllerClient({
      ...this.#parts,
      proxyVersion: this.#parts.version,
      state: this,
      identity: { set: (material) => this.identity.set(material) },
    });
    this.gateway.metrics.watchController(this.#controller);
  }

  async #listen(): Promise<void> {
    const { inbound, outbound } = this.config;
    if (inbound) {
      this.#listeners.inbound = this.#listener('inbound', inbound);
      this.#ports.inbound = await this.#listeners.inbound.listen();
    }
    if (outbound) {
      this.#listeners.outbound = this.#listener('outbound', outbound);
      this.#ports.outbound = await this.#listeners.outbound.listen();
    }
    const own = [this.#ports.inbound, this.#ports.outbound]
      .filter((port) => port !== undefined)
      .flatMap((port) => [`127.0.0.1:${port}`, `[::1]:${port}`, `localhost:${port}`]);
    this.gateway.outbound.ownAddresses = new Set(own);
  }

  #listener(
    direction: 'inbound' | 'outbound',
    { host, port }: { host: string; port: number },
  ): Listener {
    const { clock } = this.#parts;
    const parts: ListenerParts = {
      direction,
      host,
      port,
      metrics: this.gateway.metrics,
      clock,
      identity: this.identity,
      maxConnections: this.config.limits?.maxConnections ?? defaultMaxConnections,
      detectTimeoutMs,
      handshakeTimeoutMs,
      originalDst: undefined,
      knownProtocol: () => undefined,
      accept: (accepted) =>
        direction === 'inbound' ? this.#acceptInbound(accepted) : this.#acceptOutbound(accepted),
    };
    return new Listener(parts);
  }

  #acceptOutbound({ wire, spoken, first, peerAddress, originalDst }: Accepted): void {
    const serving = new OutboundServing(this.gateway.outbound, peerAddress, originalDst);
    const front = spoken === 'http2' ? this.outboundHttp2 : this.outboundHttp1;
    front.accept(wire, serving, first);
  }

  #acceptInbound({ wire, spoken, first, peerAddress, peerIdentity, originalDst }: Accepted): void {
    const { inbound } = this.gateway;
    const port = portOf(originalDst) ?? this.#ports.inbound ?? 0;
    const server = inbound.serverFor(port);
    const peer = { identity: peerIdentity, address: peerAddress };
    if (!server || !inbound.mayConnect(server, peer)) {
      wire.user = { ...ignoring, onClose: () => undefined };
      return wire.destroy();
    }
    const tls = peerIdentity === undefined ? 'disabled' : 'true';
    const serving = new InboundServing(inbound, server, port, { ...peer, tls });
    const front = spoken === 'http2' ? this.inboundHttp2 : this.inboundHttp1;
    front.accept(wire, serving, first);
  }

  /** Both sides: how many requests are under way. */
  get busy(): number {
    return (
      this.inboundHttp1.busy +
      this.outboundHttp1.busy +
      this.inboundHttp2.busy +
      this.outboundHttp2.busy
    );
  }

  /** Each answer of the inbound side is from now on the last of its connection. */
  beginDrain(): void {
    this.gateway.faults.clear();
    this.inboundHttp1.drain();
    this.inboundHttp2.drain();
  }

  closeIdle(): void {
    this.inboundHttp1.endIdle();
    this.inboundHttp2.endIdle();
  }

  closeInbound(): void {
    this.#listeners.inbound?.close();
  }

  /** Everything ends now. */
  async stop(): Promise<void> {
    this.#listeners.inbound?.close();
    this.#listeners.outbound?.close();
    this.inboundHttp1.abandon();
    this.outboundHttp1.abandon();
    this.inboundHttp2.abandon();
    this.outboundHttp2.abandon();
    this.#controller?.stop();
    this.#files?.stop();
    this.memory.stop();
    this.#admin?.close();
    await this.gateway.close();
  }
}

const portOf = (address: string | undefined): number | undefined =>
  address === undefined ? undefined : Number(address.slice(address.lastIndexOf(':') + 1));

const ignoring = {
  onBytes: (): void => undefined,
  onEnd: (): void => undefined,
  onDrain: (): void => undefined,
};
