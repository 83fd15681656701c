/**
 * The state of one proxy: the objects it has and the objects still to send, one unacknowledged update, the rest
 * merged.
 */
import type { Clock } from '../../base/clock.js';
import type { Place } from '../model.js';
import { encodeResource, type Hello, type Kind, kinds, type Resource } from './api/messages.js';
import { type Catalogue, type Entry, entryKey, type Reader } from './catalogue.js';
import type { Batch, Propagation } from './propagation.js';
import { bundleTopic, serversTopic, settingsTopic, topicsOf } from './topics.js';
import type { UpdateFrames } from './update-frames.js';

/** Larger updates are cut into parts, so that a thousand slow readers do not hold a thousand snapshots. */
const maxUpdateBytes = 64 * 1024;
/** A name of many labels stands for as many topics; ten thousand usual names have fifty thousand. */
const maxTopics = 100_000;
/** Characters of a proxy's reason that are kept. */
const maxErrorLength = 4096;
const noJson: Buffer = Buffer.alloc(0);

export interface SessionWire {
  /** Sends an update with its prefix. Other sessions may send the same bytes. */
  send(frame: Buffer): void;
  /** The address from which the proxy calls. */
  address?: string;
  /** The proxy's place, as far as it is known now. */
  place?: () => Place | undefined;
}

export interface SessionParts {
  catalogue: Catalogue;
  propagation: Propagation;
  frames: UpdateFrames;
  clock: Clock;
}

interface InFlight {
  version: number;
  keys: string[];
  batches: Batch[];
  sentAtMs: number;
  more: boolean;
}

export class Session {
  readonly identity: string;
  readonly hello: Omit<Hello, 'known' | 'subscribe' | 'issuer'>;
  readonly connectedAtMs: number;
  readonly #wire: SessionWire;
  readonly #catalogue: Catalogue;
  readonly #propagation: Propagation;
  readonly #frames: UpdateFrames;
  readonly #clock: Clock;
  readonly #topics = new Set<string>();
  #dirty = new Set<string>();
  #waiting: Batch[] = [];
  #inFlight: InFlight | undefined;
  /** Keys of the acknowledged parts of an incomplete update: all parts are refused or taken together. */
  #held: string[] = [];
  #snapshot: boolean;
  #greeted = false;
  ackedVersion = 0;
  nacks = 0;
  lastError = '';
  /** The digest of the trust bundle that the proxy has acknowledged: shows which proxies still trust an old root. */
  bundleVersion = '';
  /** Hex SHA-256 of the issuer of the proxy's certificate, as the proxy reports it; undefined when it does not. */
  issuer: string | undefined;
  #sentBundle = '';
  /** Keys of the inbound servers that were sent to the proxy. */
  readonly #servers = new Set<string>();
  /** No update is sent while this is true: in a drill, or while the sources do not know yet what there is. */
  stalled: () => boolean = () => false;

  constructor(identity: string, hello: Hello, wire: SessionWire, parts: SessionParts) {
    const { known, subscribe, issuer, ...rest } = hello;
    this.identity = identity;
    this.hello = rest;
    this.issuer = issuer?.slice(0, 64);
    this.#wire = wire;
    this.#catalogue = parts.catalogue;
    this.#propagation = parts.propagation;
    this.#frames = parts.frames;
    this.#clock = parts.clock;
    this.connectedAtMs = parts.clock.nowMs();
    this.#snapshot = known.length === 0;
    for (const topic of [settingsTopic, bundleTopic, serversTopic(hello.namespace)]) {
      this.#addTopic(topic);
    }
    for (const subscription of subscribe) {
      for (const topic of topicsOf(subscription)) this.#addTopic(topic);
      if (this.#topics.size > maxTopics) throw new Error(`more than ${maxTopics} topics`);
    }
    this.#reconcile(known);
  }

  get topics(): ReadonlySet<string> {
    return this.#topics;
  }

  get address(): string | undefined {
    return this.#wire.address;
  }

  get owed(): number {
    return this.#dirty.size;
  }

  /** The time at which the unacknowledged update was sent; undefined: there is none. */
  get unacknowledgedSinceMs(): number | undefined {
    return this.#inFlight?.sentAtMs;
  }

  /** An object under a topic of this session changed. Joins the batch only if the change concerns the proxy. */
  changed(key: string, batch: Batch): void {
    const entry = this.#catalogue.get(key);
    if (isServers(key)) {
      // The topic covers the whole namespace: most of its objects concern other workloads.
      if (entry && this.#wants(entry)) this.#servers.add(key);
      else if (!this.#servers.delete(key)) return;
    }
    this.#dirty.add(key);
    if (this.#waiting[this.#waiting.length - 1] === batch) return;
    this.#waiting.push(batch);
    this.#propagation.join(batch);
  }

  /** The proxy's place has become known, or is another one: sends the objects for which that makes a difference. */
  moved(): void {
    for (const topic of this.#topics) {
      for (const key of this.#catalogue.keysOf(topic) ?? [])
        if (this.#catalogue.get(key)?.isPlaced) this.#dirty.add(key);
    }
    if (this.#dirty.size > 0) this.flush();
  }

  /** Sends the pending objects, unless an update is unacknowledged. Safe to call at any time. */
  flush(nowMs = this.#clock.nowMs()): void {
    if (this.#inFlight) return;
    if (this.#greeted && this.#dirty.size === 0) return;
    if (this.stalled()) return;
    const resources: Buffer[] = [];
    const removed: Buffer[] = [];
    const keys: string[] = [];
    let bytes = 0;
    for (const key of this.#dirty) {
      if (bytes > maxUpdateBytes) break;
      this.#dirty.delete(key);
      keys.push(key);
      const entry = this.#catalogue.get(key);
      if (entry && this.#wants(entry)) {
        const encoded = entry.encodedFor?.(this.#reader()) ?? entry.encoded;
        resources.push(encoded);
        bytes += encoded.length;
        if (entry.topics[0] === bundleTopic) this.#sentBundle = entry.version;
      } else {
        const gone = encodeResource(resourceOf(key));
        removed.push(gone);
        bytes += gone.length;
      }
    }
    const more = this.#dirty.size > 0;
    const version = this.#catalogue.version;
    const batches = more ? [] : this.#waiting.splice(0);
    this.#inFlight = { version, keys, batches, sentAtMs: nowMs, more };
    this.#wire.send(
      this.#frames.frame({
        version,
        snapshot: this.#snapshot,
        resources,
        removed,
        timeMs: nowMs,
        more,
      }),
    );
    this.#snapshot = false;
    this.#greeted = true;
  }

  /** The proxy's answer; throws when it answers an update that was not sent. */
  acknowledge(version: number, error: string): void {
    const sent = this.#inFlight;
    if (!sent || sent.version !== version)
      throw new Error(`unexpected answer to version ${version}`);
    this.#inFlight = undefined;
    for (const batch of sent.batches) this.#propagation.answered(batch);
    this.#held.push(...sent.keys);
    if (error !== '') {
      this.nacks++;
      this.lastError = error.slice(0, maxErrorLength);
      // The proxy keeps its old state, so all of these are still pending; they are sent with the next change, not at
      // once.
      for (const key of this.#held) this.#dirty.add(key);
      this.#held = [];
      if (this.#waiting.length > 0) this.flush();
      return;
    }
    if (!sent.more) {
      this.#held = [];
      this.ackedVersion = version;
      this.lastError = '';
      this.bundleVersion = this.#sentBundle;
    }
    this.flush();
  }

  close(): void {
    for (const batch of [...this.#waiting, ...(this.#inFlight?.batches ?? [])]) {
      this.#propagation.abandoned(batch);
    }
    this.#waiting = [];
    this.#inFlight = undefined;
    this.#dirty = new Set();
  }

  #reader(): Reader {
    return { namespace: this.hello.namespace, place: () => this.#wire.place?.() };
  }

  #addTopic(topic: string): void {
    this.#topics.add(topic);
    for (const key of this.#catalogue.keysOf(topic) ?? []) {
      const entry = this.#catalogue.get(key);
      if (!entry || !this.#wants(entry)) continue;
      this.#dirty.add(key);
      if (isServers(key)) this.#servers.add(key);
    }
  }

  /** Drops pending objects that the proxy already has, and adds the removal of objects that no longer exist. */
  #reconcile(known: readonly Resource[]): void {
    for (const resource of known) {
      const key = entryKey(resource.kind, resource.name);
      const entry = this.#catalogue.get(key);
      if (!entry || !this.#wants(entry)) this.#dirty.add(key);
      // The proxy's place may have become known since, or what it is.
      else if (entry.version === resource.version && !entry.isPlaced) {
        this.#dirty.delete(key);
        if (entry.topics[0] === bundleTopic) this.#sentBundle = entry.version;
      }
    }
  }

  #wants(entry: Entry): boolean {
    if (!entry.topics.some((topic) => this.#topics.has(topic))) return false;
    const { selector } = entry;
    if (!selector) return true;
    if (selector.namespace !== this.hello.namespace) return false;
    if (selector.workload !== undefined && selector.workload !== this.hello.workload) return false;
    if (selector.without?.some((label) => this.hello.labels[label] !== undefined)) return false;
    return Object.entries(selector.labels ?? {}).every(([k, v]) => this.hello.labels[k] === v);
  }
}

const isServers = (key: string): boolean => key.startsWith(`${kinds.servers}/`);

function resourceOf(key: string): Resource {
  const slash = key.indexOf('/');
  return {
    kind: Number(key.slice(0, slash)) as Kind,
    name: key.slice(slash + 1),
    version: '',
    json: noJson,
  };
}
