/**
 * A proxy's end of the stream: fails over, keeps serving without a controller, renews its certificate, caches on
 * disk.
 */
import { readFileSync } from 'node:fs';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { Random } from '../../../base/random.js';
import { generateWorkloadKey, readAnchors, type WorkloadKey } from '../../identity/csr.js';
import { denialsInForce } from '../../identity/denials.js';
import type { MeshState } from '../../model.js';
import { frameMessage } from '../api/framing.js';
import {
  decodeUpdate,
  encodeProxyMessage,
  type ProxyMessage,
  protocolVersion,
  streamPath,
  type Update,
} from '../api/messages.js';
import { DiskCache, type IdentityMaterial } from './cache.js';
import { requestCertificate } from './certify.js';
import { CallFailed, connect, contextOf, openStream } from './connection.js';
import { Resources, type TrustBundle } from './resources.js';

export interface ControllerClientOptions {
  /** Tried in turn from a random start, so that a thousand proxies do not all begin with the first. */
  addresses: readonly string[];
  controllerIdentity: string;
  workload: { name: string; namespace: string; labels?: Record<string, string> };
  /** The workload's own name. */
  identity: string;
  tokenFile: string;
  /**
   * PEM, one certificate each: the trust anchors until the first bundle, and again while no controller is reached.
   * Throws if there are none.
   */
  anchors(): readonly string[];
  cacheFolder?: string;
  /** `*`, `*.retail`, `cart.retail`, a host or an address. */
  subscribe: readonly string[];
  proxyVersion: string;
  clock: Clock;
  random: Random;
  /** Takes a new state, or throws: then the controller is notified of the reason, and the old state stays in use. */
  onState(state: MeshState, source: 'fresh' | 'cache'): void;
  /** Called before any state is served, and with each renewal and each change of the bundle. */
  onIdentity(material: IdentityMaterial, source: 'fresh' | 'cache'): void;
  log(line: string): void;
}

const backoffBaseMs = 100;
const backoffMaxMs = 10_000;
/** The interval of log lines while no controller has been reached. */
const complainEveryMs = 30_000;
const pingIntervalMs = 10_000;
/** The longest time without a look at the time of the next renewal. */
const renewalLookMs = 60_000;
/** Renewals begin at this share of a certificate's life, plus up to `renewJitter` of it. */
const renewShare = 0.62;
const renewJitter = 0.1;

/** Several attempts fit into the rest of a certificate's life; after its end, one attempt every few seconds. */
const pauseMs = (leftMs: number): number => Math.min(Math.max(leftMs / 8, 500), 30_000);

export class ControllerClient {
  readonly #options: ControllerClientOptions;
  readonly #cache: DiskCache;
  #resources = new Resources();
  #identity: IdentityMaterial | undefined;
  #anchors: readonly string[];
  #given: readonly string[];
  #context:
    { identity: IdentityMaterial; anchors: readonly string[]; context: SecureContext } | undefined;
  #session: ClientHttp2Session | undefined;
  #stream: ClientHttp2Stream | undefined;
  #ping: Timer | undefined;
  #renewal: Timer | undefined;
  #retry: Timer | undefined;
  #stopped = false;
  #failures = 0;
  #complainedMs = Number.NEGATIVE_INFINITY;
  /** The controller denies the current certificate. */
  #isDenied = false;
  #next: number;
  /** Monotonic: a step of the wall clock is no silence. */
  #heardMs: number;
  #renewAtMs = 0;
  #first: (() => void) | undefined;
  /** Kept until its certificate comes: a one-time token is valid for one key, and an answer may be lost. */
  #nextKey: WorkloadKey | undefined;
  /** For metrics; counters never fall. */
  readonly stats = {
    connected: false,
    connects: 0,
    connectFailures: 0,
    updates: 0,
    refusedUpdates: 0,
    renewals: 0,
    renewalFailures: 0,
    /** The controller's clock minus this machine's, in milliseconds, at the last certificate. */
    clockSkewMs: 0,
    address: '',
    lastError: '',
  };

  constructor(options: ControllerClientOptions) {
    this.#options = options;
    this.#cache = new DiskCache(options.cacheFolder, options.clock, options.log);
    this.#given = options.anchors();
    this.#anchors = this.#given;
    this.#next = options.random.below(Math.max(1, options.addresses.length));
    this.#heardMs = options.clock.monotonicMs();
  }

  /**
   * Serves the cached state if there is one, and connects. Resolves with the first state, from either, or after
   * `limitMs` without one: connecting goes on.
   */
  start(limitMs: number): Promise<void> {
    const cached = this.#restore();
    const first = new Promise<void>((resolve) => {
      this.#first = resolve;
      if (cached) resolve();
      else this.#options.clock.after(limitMs, resolve);
    });
    void this.#connect();
    return first;
  }

  get version(): number {
    return this.#resources.version;
  }

  get identity(): IdentityMaterial | undefined {
    return this.#identity;
  }

  #heard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
    this.#cache.touch(this.#options.clock.nowMs());
  }

  /** 0 while connected; otherwise the time since the last message from the controller, in seconds. */
  staleSeconds(): number {
    return this.stats.connected ? 0 : (this.#options.clock.monotonicMs() - this.#heardMs) / 1000;
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#renewal?.cancel();
    this.#ping?.cancel();
    this.#session?.destroy();
    this.#cache.flush();
  }

  /** Returns whether there was a state to serve. */
  #restore(): boolean {
    const { clock } = this.#options;
    const identity = this.#cache.readIdentity(this.#options.identity);
    if (identity && identity.notAfterMs > clock.nowMs()) {
      try {
        this.#setIdentity(identity, 'cache');
      } catch (error) {
        this.#options.log(`the cached identity cannot be used: ${messageOf(error)}`);
      }
    } else if (identity) {
      // Anchors outlive a certificate: without the cached ones a proxy that was off for a day would trust only its
      // initial anchors.
      this.#anchors = [...new Set([...identity.anchors, ...this.#anchors])];
    }
    const text = this.#cache.readState();
    if (text === undefined) return false;
    try {
      this.#resources.load(text);
      denialsInForce.list = this.#resources.bundle()?.denied ?? [];
      // The state is as old as the cache, whenever this process began.
      const ageMs = clock.nowMs() - (this.#cache.stateAtMs() ?? clock.nowMs());
      this.#heardMs = clock.monotonicMs() - Math.max(0, ageMs);
      this.#options.onState(this.#resources.state(), 'cache');
      return true;
    } catch (error) {
      this.#options.log(`the cached state cannot be used: ${messageOf(error)}`);
      // The controller would send only what has changed since.
      this.#resources = new Resources();
      return false;
    }
  }

  async #connect(): Promise<void> {
    if (this.#stopped) return;
    const { addresses, controllerIdentity, clock } = this.#options;
    const address = addresses[this.#next % addresses.length] as string;
    this.stats.address = address;
    try {
      if (this.#failures > 0) this.#takeGiven();
      if (!this.#identity || this.#identity.notAfterMs <= clock.nowMs() || this.#isDenied)
        await this.#join(address);
      const session = await connect(address, controllerIdentity, this.#secured());
      if (this.#stopped) return session.destroy();
      this.#session = session;
      this.#open(session);
    } catch (error) {
      this.#lost(error);
    }
  }

  /** An outage may outlast the anchors in use: those that have been given meanwhile are trusted as well. */
  #takeGiven(): void {
    let given: readonly string[];
    try {
      given = this.#options.anchors();
    } catch {
      // Half a file: it is read again at the next attempt.
      return;
    }
    if (given.join() === this.#given.join()) return;
    this.#given = given;
    this.#anchors = [...new Set([...given, ...this.#anchors])];
  }

  /** Kept from attempt to attempt of one outage, for as long as its parts are the same. */
  #secured(): SecureContext {
    const identity = this.#identity as IdentityMaterial;
    const anchors = this.#anchors;
    const kept = this.#context;
    if (kept && kept.identity === identity && kept.anchors === anchors) return kept.context;
    const context = contextOf({ ...identity, anchors });
    this.#context = { identity, anchors, context };
    return context;
  }

  #open(session: ClientHttp2Session): void {
    this.#context = undefined;
    const { clock, workload, proxyVersion, subscribe } = this.#options;
    this.#resources.forgetParts();
    const stream = openStream(session, streamPath, {
      message: (message) => this.#hear(decodeUpdate(message)),
      end: (failure) => {
        this.#ping?.cancel();
        session.destroy();
        this.#lost(failure ?? new Error('the controller ended the stream'));
      },
    });
    this.#stream = stream;
    this.#say({
      kind: 'hello',
      hello: {
        protocol: protocolVersion,
        workload: workload.name,
        namespace: workload.namespace,
        labels: workload.labels ?? {},
        subscribe: [...subscribe],
        known: this.#resources.known(),
        proxyVersion,
        timeMs: clock.nowMs(),
        ...(this.#identity && { issuer: this.#identity.issuer }),
      },
    });
    const openedMs = clock.monotonicMs();
    this.#ping = clock.every(pingIntervalMs, () => {
      // A controller to which thousands return at once may need a while for its first answer.
      const silentMs = clock.monotonicMs() - Math.max(this.#heardMs, openedMs);
      if (silentMs > 3 * pingIntervalMs) return void session.destroy();
      session.ping((error) => {
        if (error) return;
        // Only now: a stream that ends soon after its first update each time must not come back at once each time.
        this.#failures = 0;
        this.#heard();
      });
    });
  }

  /** A wrong clock makes certificates and tokens look wrong, and people do not suspect it first. */
  #clockHint(): string {
    const skewSeconds = Math.round(this.stats.clockSkewMs / 1000);
    if (Math.abs(skewSeconds) < 60) return '';
    const side = skewSeconds > 0 ? 'behind' : 'ahead of';
    return ` (this machine's clock is ${Math.abs(skewSeconds)} s ${side} the controller's)`;
  }

  #lost(error: unknown): void {
    const nowMs = this.#options.clock.monotonicMs();
    const address = this.#options.addresses[this.#next % this.#options.addresses.length] ?? '';
    if (this.stats.connected) this.#options.log(`controller lost: ${messageOf(error)}`);
    else {
      this.stats.connectFailures++;
      // The log of a proxy that is not ready must give the reason, but not a thousand times.
      if (nowMs - this.#complainedMs >= complainEveryMs) {
        this.#complainedMs = nowMs;
        this.#options.log(
          `controller ${address} not reached: ${messageOf(error)}${this.#clockHint()}`,
        );
      }
    }
    this.stats.connected = false;
    // The proxy goes on using the certificate with peers that accept it, and gets a new one for the controller.
    if (messageOf(error).includes('certificate is denied')) this.#isDenied = true;
    this.stats.lastError = messageOf(error);
    this.#stream = undefined;
    this.#session = undefined;
    if (this.#stopped) return;
    this.#next++;
    const rounds = Math.floor(this.#failures++ / this.#options.addresses.length);
    // Full jitter, so that a thousand proxies do not reconnect at once; each address is tried once a round.
    const capMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(rounds, 20));
    const delayMs = 10 + this.#options.random.next() * capMs;
    this.#retry = this.#options.clock.after(delayMs, () => void this.#connect());
  }

  #hear(update: Update): void {
    this.#heard();
    if (!this.stats.connected) this.stats.connects++;
    this.stats.connected = true;
    let refusal = '';
    try {
      const bundleBefore = this.#resources.bundle();
      const whole = this.#resources.take(update, () => {
        this.#takeBundle(bundleBefore);
        this.#options.onState(this.#resources.state(), 'fresh');
      });
      if (whole) {
        this.stats.updates++;
        this.#cache.writeState(() => this.#resources.save());
        this.#first?.();
      }
    } catch (error) {
      refusal = messageOf(error).slice(0, 1000) || 'refused';
      this.stats.refusedUpdates++;
      this.#options.log(`version ${update.version} refused: ${refusal}`);
    }
    this.#say({ kind: 'ack', version: update.version, error: refusal });
  }

  #takeBundle(before: TrustBundle | undefined): void {
    const bundle = this.#resources.bundle();
    if (!bundle || bundle === before) return;
    // Before anything is changed: by the old ones the controller is reached.
    readAnchors(bundle.anchors);
    if (this.#identity) this.#setIdentity({ ...this.#identity, anchors: bundle.anchors });
    this.#anchors = bundle.anchors;
    denialsInForce.list = bundle.denied ?? [];
    if (!this.#identity) return;
    // A new issuer may mean that the anchor above the old one is about to be dropped.
    if (this.#identity.issuer !== bundle.issuer) {
      this.#renewIn(this.#options.random.next() * bundle.renewSpreadMs);
    }
  }

  #say(message: ProxyMessage): void {
    this.#stream?.write(frameMessage(encodeProxyMessage(message)));
  }

  async #join(address: string): Promise<void> {
    const { tokenFile } = this.#options;
    let token: string;
    try {
      token = readFileSync(tokenFile, 'utf8').trim();
    } catch (error) {
      throw new Error(`no certificate, and no token: ${messageOf(error)}`, { cause: error });
    }
    await this.#certify(address, token);
    this.#isDenied = false;
  }

  async #certify(address: string, token: string): Promise<void> {
    const key = (this.#nextKey ??= generateWorkloadKey());
    const answer = await requestCertificate({
      address,
      key,
      controllerIdentity: this.#options.controllerIdentity,
      identity: this.#options.identity,
      token,
      clock: this.#options.clock,
      credentials: { ...(token === '' && this.#identity), anchors: this.#anchors },
    });
    this.#nextKey = undefined;
    const nowMs = this.#options.clock.nowMs();
    this.stats.clockSkewMs = answer.controllerTimeMs - nowMs;
    // Peers would not accept the certificate yet, and its renewal time would be computed from a future start.
    const { notBeforeMs } = answer.material;
    if (notBeforeMs > nowMs) {
      const seconds = Math.ceil((notBeforeMs - nowMs) / 1000);
      throw new Error(
        `the certificate begins ${seconds} s from now: this machine's clock or the issuer's is wrong`,
      );
    }
    this.#setIdentity(answer.material);
  }

  #setIdentity(material: IdentityMaterial, source: 'fresh' | 'cache' = 'fresh'): void {
    this.#options.onIdentity(material, source);
    if (this.#stream && this.#identity?.issuer !== material.issuer) {
      this.#say({ kind: 'issuer', issuer: material.issuer });
    }
    this.#identity = material;
    this.#anchors = material.anchors;
    if (source === 'fresh') this.#cache.writeIdentity(material);
    const lifeMs = material.notAfterMs - material.notBeforeMs;
    const share = renewShare + this.#options.random.next() * renewJitter;
    const nowMs = this.#options.clock.nowMs();
    // Under an issuer that ends soon, each certificate is due again at once.
    const soonMs = pauseMs(material.notAfterMs - nowMs);
    this.#renewIn(Math.max(soonMs, material.notBeforeMs + lifeMs * share - nowMs));
  }

  #renewIn(delayMs: number): void {
    this.#renewAtMs = this.#options.clock.nowMs() + delayMs;
    this.#awaitRenewal();
  }

  /** Looks at the wall clock again and again: it may be set, or the machine may sleep, which no timer notices. */
  #awaitRenewal(): void {
    const { clock } = this.#options;
    this.#renewal?.cancel();
    const leftMs = Math.max(0, this.#renewAtMs - clock.nowMs());
    this.#renewal = clock.after(Math.min(leftMs, renewalLookMs), () => {
      if (clock.nowMs() >= this.#renewAtMs) void this.#renew();
      else this.#awaitRenewal();
    });
  }

  async #renew(): Promise<void> {
    const { addresses, clock } = this.#options;
    const identity = this.#identity;
    if (this.#stopped || !identity) return;
    const address = this.stats.connected
      ? this.stats.address
      : (addresses[this.#next++ % addresses.length] as string);
    try {
      if (identity.notAfterMs > clock.nowMs()) await this.#certify(address, '');
      else await this.#join(address);
      this.stats.renewals++;
    } catch (error) {
      this.stats.renewalFailures++;
      this.#options.log(`the certificate was not renewed: ${messageOf(error)}`);
      const leftMs = Math.max(0, identity.notAfterMs - clock.nowMs());
      const unauthorised = error instanceof CallFailed && leftMs === 0 ? 4 : 1;
      this.#renewIn(pauseMs(leftMs) * unauthorised * (0.5 + this.#options.random.next()));
    }
  }
}
