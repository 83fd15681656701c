/** Writes into the status of each object that shapes traffic whether it was accepted. Only one replica writes. */
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import { isStatus, type KubeApi } from '../client/api.js';
import { type AnyObject, type Kind, resources } from '../client/objects.js';
import { customKinds } from '../crds/definitions.js';
import { problemsOfObject } from '../inject/validate.js';
import type { KubernetesSource } from './kubernetes-source.js';
import { type Condition, parentStatuses } from './route-status.js';
import type { Store, StoreKind } from './store.js';
import { type Finding, targetFinding } from './targets.js';

export interface StatusOptions {
  clock: Clock;
  leading(): boolean;
  log(line: string): void;
}

/** Changes are gathered for this long, because a rollout makes many of them. */
const gatherMs = 100;
/** The interval of a full round, for cases without a change: a new leader, a failed write. */
const againMs = 30_000;
const routeKinds = ['HTTPRoute', 'GRPCRoute'] as const;

/** The caller must call this before the source starts. */
export function writeStatuses(
  api: KubeApi,
  source: KubernetesSource,
  options: StatusOptions,
): void {
  const writer = new StatusWriter(api, source, options);
  const read: StoreKind[] = [...customKinds, ...routeKinds, 'Service', 'ReferenceGrant', 'Pod'];
  for (const kind of read) source.caches[kind].onChange(() => writer.soon());
  options.clock.every(againMs, () => writer.soon());
}

class StatusWriter {
  readonly #api: KubeApi;
  readonly #source: KubernetesSource;
  readonly #options: StatusOptions;
  #scheduled = false;
  #running = false;

  constructor(api: KubeApi, source: KubernetesSource, options: StatusOptions) {
    this.#api = api;
    this.#source = source;
    this.#options = options;
  }

  soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.after(gatherMs, () => {
      this.#scheduled = false;
      if (this.#running) this.soon();
      else void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (!this.#options.leading()) return;
    this.#running = true;
    try {
      await this.#writeAll();
    } catch (error) {
      this.#options.log(`statuses: ${messageOf(error)}`);
    } finally {
      this.#running = false;
    }
  }

  async #writeAll(): Promise<void> {
    const { caches, lookup } = this.#source;
    const now = new Date(this.#options.clock.nowMs()).toISOString();
    for (const kind of customKinds) {
      for (const object of caches[kind].objects.values()) {
        const any = object as unknown as AnyObject;
        const unlinked =
          kind === 'MultiClusterLink' ? this.#source.problemOfLink(object) : undefined;
        const taken = kind === 'MultiClusterLink' ? this.#source.takenFrom(object) : [];
        const wanted = conditionOf(any, this.#source.store, { unlinked, taken });
        if (isSaid(any, wanted)) continue;
        const conditions = [{ ...wanted, lastTransitionTime: now }];
        await this.#write(kind, any, { conditions });
      }
    }
    // Times in the API have no fractions.
    const seconds = now.replace(/\.\d+Z$/, 'Z');
    for (const kind of routeKinds) {
      for (const object of caches[kind].objects.values()) {
        const any = object as unknown as AnyObject;
        const parents = parentStatuses(any, lookup, seconds);
        if (parents) await this.#write(kind, any, { parents });
      }
    }
  }

  async #write(kind: Kind, { metadata }: AnyObject, status: unknown): Promise<void> {
    const { namespace, name, resourceVersion } = metadata;
    // The version guards against overwriting a concurrent write, such as another controller's entry in the list.
    const body = { metadata: { resourceVersion }, status };
    try {
      await this.#api.patch(resources[kind], namespace, name, body, 'status');
    } catch (error) {
      if (isStatus(error, 404) || isStatus(error, 409)) return;
      // The next change or the next round retries the write: a failed status must not stop discovery.
      this.#options.log(`status of ${kind} ${namespace}/${name}: ${messageOf(error)}`);
    }
  }
}

/** The webhook refuses most invalid objects, but objects may predate the webhook or come while it is away. */
export function conditionOf(
  object: AnyObject,
  store: Store,
  { unlinked, taken = [] }: { unlinked?: string | undefined; taken?: string[] } = {},
): Condition {
  const problems = problemsOfObject(object);
  const { generation } = object.metadata;
  const found: Finding =
    problems.length === 0
      ? unlinked === undefined
        ? shared(targetFinding(object, store), taken)
        : { status: 'False', reason: 'NotConnected', message: unlinked }
      : {
          status: 'False',
          reason: 'Invalid',
          message: problems.map((p) => `${p.path}: ${p.message}`).join('; '),
        };
  return {
    type: 'Accepted',
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...found,
    message: found.message.slice(0, 1000),
  };
}

/** A link whose services are there under names that the cluster uses otherwise. */
function shared(found: Finding, taken: readonly string[]): Finding {
  if (taken.length === 0 || found.status !== 'True') return found;
  const message = `in force, but for names that another Service or link has: ${taken.join(', ')}`;
  return { ...found, reason: 'NameTaken', message };
}

function isSaid(object: AnyObject, wanted: Condition): boolean {
  const conditions = (object.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  return conditions.some(
    (c) =>
      c.type === wanted.type &&
      c.status === wanted.status &&
      c.reason === wanted.reason &&
      c.message === wanted.message &&
      c.observedGeneration === wanted.observedGeneration,
  );
}
