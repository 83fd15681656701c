/** All objects that the controller knows, each encoded once for every proxy, with an index from topics to objects. */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.js';
import type { Destination, Place } from '../model.js';
import { encodeResource, type Kind, kinds } from './api/messages.js';
import type {
  DiscoverySink,
  SourceChange,
  SourceSnapshot,
  WorkloadServers,
} from './discovery/source.js';
import { choosesByPlace, seenFrom } from './seen-from.js';
import { destinationTopics, serversTopic, settingsTopic } from './topics.js';

export interface Entry {
  /** Kind and name. */
  key: string;
  kind: Kind;
  name: string;
  /** A digest of the JSON. */
  version: string;
  /** The Resource message, ready to send. */
  encoded: Buffer;
  /** For an object that is not the same for every reader: the message for one of them. */
  encodedFor?: (reader: Reader) => Buffer;
  /** The readers' places make a difference. */
  isPlaced?: true;
  /** The names under which proxies subscribe to the object; see `topics.ts`. */
  topics: readonly string[];
  /** For SERVERS entries: the workloads that they apply to. */
  selector?: Omit<WorkloadServers, 'servers' | 'key'>;
}

export interface Reader {
  namespace: string;
  /** Undefined: it is not known. */
  place(): Place | undefined;
}

export interface Change {
  /** Increases; close to milliseconds since the epoch. */
  version: number;
  atMs: number;
  /** The topics of each changed object, before and after the change. */
  topics: ReadonlyMap<string, ReadonlySet<string>>;
}

export const entryKey = (kind: Kind, name: string): string => `${kind}/${name}`;

interface SourceTable {
  name: string;
  entries: Map<string, Entry>;
  hasReported: boolean;
}

export class Catalogue {
  readonly #clock: Clock;
  /** In order of precedence: if two sources name one object, the earlier source's counts. */
  readonly #sources: SourceTable[] = [];
  readonly #entries = new Map<string, Entry>();
  readonly #byTopic = new Map<string, Set<string>>();
  #pending: { atMs: number; topics: Map<string, Set<string>> } | undefined;
  #version = 0;
  readonly #problems = new Map<string, readonly string[]>();
  /** The number of problems that each source reported. */
  readonly problemsTotal = new Map<string, number>();
  onChange: (change: Change) => void = () => undefined;
  /** A source has made its first report. */
  onReported: () => void = () => undefined;
  onMoved: (addresses: ReadonlySet<string>) => void = () => undefined;
  onProblems: (source: string, messages: readonly string[]) => void = () => undefined;
  /** For drills: while this is true, the sources' reports are held back. */
  frozen: () => boolean = () => false;
  readonly #held: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#version = clock.nowMs();
  }

  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  keysOf(topic: string): ReadonlySet<string> | undefined {
    return this.#byTopic.get(topic);
  }

  get problems(): ReadonlyMap<string, readonly string[]> {
    return this.#problems;
  }

  /** The sources that do not know yet what there is: while there is one, an absent object proves nothing. */
  get unreported(): string[] {
    return this.#sources.filter((s) => !s.hasReported).map((s) => s.name);
  }

  /** Adds a source, with lower precedence than the existing ones. */
  addSource(name: string): DiscoverySink {
    const table: SourceTable = { name, entries: new Map(), hasReported: false };
    this.#sources.push(table);
    return {
      replace: (snapshot) => this.#orHeld(() => this.#replace(table, snapshot)),
      update: (change) => this.#orHeld(() => this.#update(table, change)),
      moved: (addresses) => this.onMoved(addresses),
      problems: (messages) => this.#setProblems(name, messages),
    };
  }

  /** Adds an object without a source: the trust bundle. */
  put(kind: Kind, name: string, value: unknown, topics: readonly string[]): void {
    let table = this.#sources.find((s) => s.name === '');
    if (!table)
      this.#sources.unshift((table = { name: '', entries: new Map(), hasReported: true }));
    this.#store(table, makeEntry(kind, name, value, topics));
  }

  /** Applies the reports that were held back while frozen. */
  thaw(): void {
    for (const run of this.#held.splice(0)) run();
  }

  #orHeld(run: () => void): void {
    if (this.frozen()) this.#held.push(run);
    else run();
  }

  #replace(table: SourceTable, snapshot: SourceSnapshot): void {
    const before = new Set(table.entries.keys());
    const entries = [
      ...snapshot.destinations.map(destinationEntry),
      ...snapshot.servers.map(serversEntry),
      settingsEntry(snapshot.unknownDestinations),
    ];
    for (const entry of entries) {
      if (!entry) continue;
      before.delete(entry.key);
      this.#store(table, entry);
    }
    for (const name of snapshot.unchanged ?? []) before.delete(entryKey(kinds.destination, name));
    for (const key of before) this.#remove(table, key);
    if (table.hasReported) return;
    table.hasReported = true;
    // After the change that the report makes.
    setImmediate(() => this.onReported());
  }

  #update(table: SourceTable, change: SourceChange): void {
    for (const d of change.destinations ?? []) this.#store(table, destinationEntry(d));
    for (const s of change.servers ?? []) this.#store(table, serversEntry(s));
    for (const name of change.removedDestinations ?? []) {
      this.#remove(table, entryKey(kinds.destination, name));
    }
    for (const key of change.removedServers ?? [])
      this.#remove(table, entryKey(kinds.servers, key));
  }

  #store(table: SourceTable, entry: Entry): void {
    if (table.entries.get(entry.key)?.version === entry.version) return;
    table.entries.set(entry.key, entry);
    this.#settle(entry.key);
  }

  #remove(table: SourceTable, key: string): void {
    if (table.entries.delete(key)) this.#settle(key);
  }

  /** Makes the object of the first source that has it the effective one. */
  #settle(key: string): void {
    const before = this.#entries.get(key);
    const after = this.#sources.find((s) => s.entries.has(key))?.entries.get(key);
    if (before?.version === after?.version) return;
    if (before) for (const topic of before.topics) this.#unindex(topic, key);
    if (after) {
      this.#entries.set(key, after);
      for (const topic of after.topics) this.#index(topic, key);
    } else this.#entries.delete(key);
    if (!this.#pending) {
      // All reports in one turn of the event loop become one change.
      this.#pending = { atMs: this.#clock.nowMs(), topics: new Map() };
      setImmediate(() => this.#publish());
    }
    let topics = this.#pending.topics.get(key);
    if (!topics) this.#pending.topics.set(key, (topics = new Set()));
    for (const topic of before?.topics ?? []) topics.add(topic);
    for (const topic of after?.topics ?? []) topics.add(topic);
  }

  #publish(): void {
    const pending = this.#pending;
    if (!pending) return;
    this.#pending = undefined;
    this.#version = Math.max(this.#version + 1, this.#clock.nowMs());
    this.onChange({ version: this.#version, ...pending });
  }

  #index(topic: string, key: string): void {
    const keys = this.#byTopic.get(topic);
    if (keys) keys.add(key);
    else this.#byTopic.set(topic, new Set([key]));
  }

  #unindex(topic: string, key: string): void {
    const keys = this.#byTopic.get(topic);
    keys?.delete(key);
    if (keys?.size === 0) this.#byTopic.delete(topic);
  }

  #setProblems(source: string, messages: readonly string[]): void {
    if (messages.length === 0) {
      if (this.#problems.delete(source)) this.onProblems(source, messages);
      return;
    }
    this.#problems.set(source, messages);
    this.problemsTotal.set(source, (this.problemsTotal.get(source) ?? 0) + 1);
    this.onProblems(source, messages);
  }
}

/** Only its own namespace may read a consumer's route: its headers may hold secrets. */
function destinationEntry(d: Destination): Entry {
  const entry = makeEntry(kinds.destination, d.name, d, destinationTopics(d));
  const consumers = new Set(d.routes.flatMap((r) => r.clientNamespace ?? []));
  const isPlaced = choosesByPlace(d);
  if (consumers.size === 0 && !isPlaced) return entry;
  const made = new Map<string, Buffer>();
  const encode = (own: string, place: Place | undefined): Buffer => {
    const routes = d.routes.filter(({ clientNamespace: c }) => c === undefined || c === own);
    const seen = isPlaced ? seenFrom(d, place) : d;
    const json = Buffer.from(JSON.stringify({ ...seen, routes }));
    const { kind, name, version } = entry;
    return encodeResource({ kind, name, version, json });
  };
  return {
    ...entry,
    ...(isPlaced && { isPlaced }),
    encodedFor: ({ namespace, place }) => {
      const own = consumers.has(namespace) ? namespace : '';
      // As many messages as there are nodes would be too many to keep.
      if (isPlaced) return encode(own, place());
      let encoded = made.get(own);
      if (!encoded) made.set(own, (encoded = encode(own, undefined)));
      return encoded;
    },
  };
}

function serversEntry(s: WorkloadServers): Entry {
  const { key, servers, ...selector } = s;
  const entry = makeEntry(kinds.servers, key, servers, [serversTopic(s.namespace)], selector);
  entry.selector = selector;
  return entry;
}

function settingsEntry(
  unknownDestinations: SourceSnapshot['unknownDestinations'],
): Entry | undefined {
  if (!unknownDestinations) return undefined;
  return makeEntry(kinds.settings, 'settings', { unknownDestinations }, [settingsTopic]);
}

function makeEntry(
  kind: Kind,
  name: string,
  value: unknown,
  topics: readonly string[],
  selector?: unknown,
): Entry {
  const json = Buffer.from(JSON.stringify(value));
  const hash = createHash('sha256').update(json);
  if (selector) hash.update(JSON.stringify(selector));
  const version = hash.digest('base64url').slice(0, 16);
  return {
    key: entryKey(kind, name),
    kind,
    name,
    version,
    encoded: encodeResource({ kind, name, version, json }),
    topics,
  };
}
