/** A cache of one kind of object that follows the API server: one list, then a watch, for any number of listeners. */
import { type Clock, realClock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { type Random, systemRandom } from '../../../base/random.js';
import { ApiError, isStatus, type KubeApi, type WatchEvent } from './api.js';
import { keyOf, type KubeObject, pathOf, type Resource } from './objects.js';
import { servedAs } from './served.js';

export interface InformerOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Removes unneeded parts of each object before it is cached, to save memory; name and version must remain. */
  trim?: (object: never) => unknown;
  /** Called with each problem, and with undefined after a recovery. */
  onProblem?: (message: string | undefined) => void;
  clock?: Clock;
  random?: Random;
}

export type Listener<T> = (now: T | undefined, before: T | undefined) => void;

const pageSize = 500;
/** The time after which the informer looks again for a kind that is not installed, in ms. */
const absentRetryMs = 15_000;
const minBackoffMs = 200;
const maxBackoffMs = 30_000;
const silenceMs = 180_000;

/**
 * client-node's own informer stops at its first error and restarts without backoff, so this is our own. While the
 * server is away, the cache keeps its content. A new list is compared with the cache: only changes are reported, and
 * all objects that the list lacks are reported as deleted in one turn, so that listeners never see a half-empty cache.
 */
export class Informer<T extends KubeObject = KubeObject> {
  /** The kind in the version that the server has. */
  resource: Resource;
  readonly objects = new Map<string, T>();
  /** The number of full lists, for tests and metrics. */
  lists = 0;
  readonly #api: KubeApi;
  readonly #options: InformerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listeners: Listener<T>[] = [];
  #abort: AbortController | undefined;
  #version = '';
  #failures = 0;
  #problem: string | undefined;

  constructor(api: KubeApi, resource: Resource, options: InformerOptions = {}) {
    this.#api = api;
    this.resource = resource;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
  }

  onChange(listener: Listener<T>): void {
    this.#listeners.push(listener);
  }

  get(namespace: string, name: string): T | undefined {
    return this.objects.get(`${namespace}/${name}`);
  }

  /** Resolves after the first full list, however long it takes; the list of a kind that is not installed is empty. */
  start(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    return new Promise((resolve) => void this.#run(abort.signal, resolve));
  }

  stop(): void {
    this.#abort?.abort();
  }

  async #run(signal: AbortSignal, synced: () => void): Promise<void> {
    let listed = false;
    while (!signal.aborted) {
      try {
        if (!listed) {
          await this.#list();
          listed = true;
          synced();
          this.#well();
        }
        await this.#watch(signal);
        // The pause prevents a tight loop with a server that closes each stream at once.
        await this.#pause(50 + this.#random.below(100), signal);
      } catch (error) {
        if (signal.aborted) break;
        // The version has expired, and the missed changes are lost: the informer lists all objects again, and compares.
        if (isExpired(error)) {
          listed = false;
          if (this.#failures === 0) {
            this.#failures = 1;
            continue;
          }
        } else if (isStatus(error, 404)) {
          const served = await servedAs(this.#api, this.resource);
          if (served === 'absent') {
            listed = false;
            this.#replace([]);
            synced();
            await this.#pause(absentRetryMs, signal);
            continue;
          }
          if (served !== 'unknown' && served.version !== this.resource.version) {
            listed = false;
            this.resource = served;
            continue;
          }
        } else if (error instanceof ApiError) listed = false;
        await this.#retryLater(error, signal);
      }
    }
    synced();
  }

  async #list(): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const all: T[] = [];
    let next: string | undefined;
    let version = '';
    do {
      const page = await this.#api.list<T>(this.resource, {
        namespace,
        labelSelector,
        fieldSelector,
        limit: pageSize,
        next,
      });
      // Trimmed page by page: whole pods of a large cluster would take hundreds of megabytes.
      all.push(...page.items.map((item) => this.#trim(item)));
      // Every page of one list has the version of the first page.
      version = page.resourceVersion;
      next = page.next;
    } while (next);
    this.#version = version;
    this.lists++;
    this.#replace(all);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const query: Record<string, string> = {
      resourceVersion: this.#version,
      // Timeouts are spread, so that a thousand watches do not all end in the same second.
      timeoutSeconds: String(300 + this.#random.below(300)),
    };
    if (labelSelector) query.labelSelector = labelSelector;
    if (fieldSelector) query.fieldSelector = fieldSelector;
    const take = (event: WatchEvent<T>): void => this.#take(event);
    await this.#api.watch(pathOf(this.resource, namespace), query, take, { signal, silenceMs });
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === 'ERROR') {
      const status = object as unknown as { code?: number; reason?: string; message?: string };
      throw new ApiError(status.code ?? 500, status.reason ?? '', status.message ?? 'watch error');
    }
    this.#well();
    this.#version = object.metadata.resourceVersion ?? this.#version;
    if (type === 'BOOKMARK') return;
    const key = keyOf(object);
    const before = this.objects.get(key);
    if (type === 'DELETED') {
      this.objects.delete(key);
      if (before) this.#tell(undefined, before);
      return;
    }
    const kept = this.#trim(object);
    this.objects.set(key, kept);
    this.#tell(kept, before);
  }

  /** The objects are trimmed already. */
  #replace(all: readonly T[]): void {
    const seen = new Set<string>();
    for (const object of all) {
      const key = keyOf(object);
      seen.add(key);
      const before = this.objects.get(key);
      if (before && before.metadata.resourceVersion === object.metadata.resourceVersion) continue;
      this.objects.set(key, object);
      this.#tell(object, before);
    }
    for (const [key, before] of this.objects) {
      if (seen.has(key)) continue;
      this.objects.delete(key);
      this.#tell(undefined, before);
    }
  }

  #trim(object: T): T {
    return this.#options.trim ? (this.#options.trim(object as never) as T) : object;
  }

  /** A listener that throws costs neither the other listeners nor the cache the change. */
  #tell(now: T | undefined, before: T | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener(now, before);
      } catch (error) {
        const { namespace = '', name } = ((now ?? before) as T).metadata;
        this.#complain(`${namespace}/${name}: ${messageOf(error)}`);
      }
    }
  }

  #complain(what: string): void {
    const message = `${this.resource.plural}: ${what}`;
    if (message === this.#problem) return;
    this.#problem = message;
    this.#options.onProblem?.(message);
  }

  #well(): void {
    this.#failures = 0;
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#options.onProblem?.(undefined);
  }

  async #retryLater(error: unknown, signal: AbortSignal): Promise<void> {
    this.#complain(messageOf(error));
    const limitMs = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(10, this.#failures++));
    await this.#pause(limitMs * (0.5 + this.#random.next() / 2), signal);
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#clock.after(delayMs, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** Recognizes status 410 in both forms: as the answer's status, or as an ERROR event in a stream. */
const isExpired = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 410 || error.reason === 'Expired');
