/** One proxy, wired together: configuration in, ports out. Its clock, randomness and log are passed to it. */
import type { Clock } from '../../base/clock.js';
import type { Random } from '../../base/random.js';
import type { MeshState, ProxyConfig } from '../model.js';
import type { ControllerClient } from '../controller/client/client.js';
import { AdminServer } from './admin/admin-server.js';
import { emptyState } from './config.js';
import { Drain } from './drain.js';
import { createGateway, type Gateway } from './flow/gateway.js';
import { afterPoll, DeadlineWheel } from './listen/deadlines.js';
import { holdings, holdingsShare } from './listen/holdings.js';
import { faults } from './listen/wire.js';
import { InboundSide, OutboundSide, type SideParts } from './side.js';
import { IdentityFiles, identityFiles } from './tls/identity-files.js';
import { IdentityStore } from './tls/identity-store.js';

export interface ProxyParts {
  config: ProxyConfig;
  clock: Clock;
  random: Random;
  version: string;
  log(line: string): void;
}

/** The limit when neither the configuration nor a container sets one. */
const defaultMaxMemoryBytes = 256 * 1024 * 1024;
const containerShare = 0.9;

export class Proxy {
  readonly config: ProxyConfig;
  readonly gateway: Gateway;
  readonly identity: IdentityStore;
  readonly drain: Drain;
  readonly #parts: ProxyParts;
  #inbound: InboundSide | undefined;
  #outbound: OutboundSide | undefined;
  readonly #ports: { inbound?: number; outbound?: number; admin?: number } = {};
  #admin: AdminServer | undefined;
  #files: IdentityFiles | undefined;
  #controller: ControllerClient | undefined;
  #state: MeshState | undefined;
  /** POST /shutdown: the process that runs the proxy decides the next step. */
  onShutdown: () => void = () => void this.drain.start();
  #stateSource: 'file' | 'cache' | 'fresh' | 'none' = 'none';
  #isListening = false;

  constructor(parts: ProxyParts) {
    const { config, clock } = parts;
    this.config = config;
    this.#parts = parts;
    const limits = { maxMemoryBytes: memoryLimit(), ...config.limits };
    holdings.limitBytes = limits.maxMemoryBytes * holdingsShare;
    this.gateway = createGateway({ ...parts, config: { ...config, limits } });
    this.identity = new IdentityStore(clock, this.gateway.metrics, config.identity?.name);
    faults.report = (error) => {
      parts.log(`connection dropped: ${error instanceof Error ? error.stack : String(error)}`);
    };
    this.gateway.memory.onPressure = () => this.closeIdle();
    this.drain = new Drain(this, clock, (config.drainSeconds ?? 30) * 1000);
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

  /** Throws when the state cannot be served; the old state stays in use. */
  apply(state: MeshState, source: 'file' | 'cache' | 'fresh'): void {
    this.gateway.apply(state);
    this.#state = state;
    this.#stateSource = source;
  }

  /** The reason why the proxy should get no traffic; undefined: ready. */
  notReady(): string | undefined {
    if (this.drain.isDraining) return 'draining';
    if (!this.#state) return 'no configuration yet';
    if (this.config.identity && !this.identity.isReady) return 'no certificate yet';
    if (!this.#isListening) return 'not listening yet';
    if (this.gateway.memory.shedRatio === 1) return 'short of memory: every request is shed';
    return undefined;
  }

  /** Resolves when the ports are open. Throws a UserError when they cannot be opened. */
  async start(): Promise<void> {
    const { config, clock } = this.#parts;
    // The admin port opens first, so that a proxy that waits for its controller can report the reason.
    this.#admin = new AdminServer(this);
    this.#ports.admin = await this.#admin.listen(config.admin);
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
    // Loaded only with a controller, to save memory without one.
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
    const { config, gateway, identity } = this;
    const isTransparent = [config.inbound, config.outbound].some((l) => l?.mode === 'transparent');
    const parts: SideParts = {
      config,
      gateway,
      identity,
      clock: this.#parts.clock,
      log: this.#parts.log,
      deadlines: new DeadlineWheel(this.#parts.clock, afterPoll),
      originalDestination: isTransparent
        ? await (await import('./listen/original-destination.js')).originalDestination()
        : undefined,
    };
    if (config.inbound) {
      this.#inbound = new InboundSide(parts);
      this.#ports.inbound = await this.#inbound.listen();
    }
    if (config.outbound) {
      this.#outbound = new OutboundSide(parts);
      this.#ports.outbound = await this.#outbound.listen();
    }
    const own = [this.#ports.inbound, this.#ports.outbound]
      .filter((port) => port !== undefined)
      .flatMap((port) => [`127.0.0.1:${port}`, `[::1]:${port}`, `localhost:${port}`]);
    gateway.outbound.ownAddresses = new Set(own);
    this.#isListening = true;
  }

  // The state of a drain.

  get busy(): number {
    return (this.#inbound?.busy ?? 0) + (this.#outbound?.busy ?? 0);
  }

  /** Of clients, on both sides. */
  get connections(): number {
    return (this.#inbound?.connections ?? 0) + (this.#outbound?.connections ?? 0);
  }

  get begun(): number {
    return this.gateway.inbound.begun + this.gateway.outbound.begun;
  }

  beginDrain(): void {
    this.gateway.faults.clear();
    // The outbound side goes on serving the app, which may make many calls before it ends.
    this.#inbound?.drain();
  }

  closeIdle(): void {
    this.#inbound?.endIdle();
  }

  closeInbound(): void {
    this.#inbound?.closePort();
  }

  /** Ends everything at once. */
  async stop(): Promise<void> {
    this.#inbound?.stop();
    this.#outbound?.stop();
    this.#controller?.stop();
    this.#files?.stop();
    this.#admin?.close();
    await this.gateway.close();
  }
}

function memoryLimit(): number {
  const constrained = process.constrainedMemory();
  const isSet = constrained > 0 && constrained < 2 ** 50;
  return isSet
    ? Math.min(constrained * containerShare, defaultMaxMemoryBytes)
    : defaultMaxMemoryBytes;
}
