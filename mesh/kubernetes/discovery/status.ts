/** Says on each custom resource whether it was accepted, as a condition that `kubectl get` shows. One writes. */
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import { type AnyObject, resources } from '../client/objects.js';
import { type CustomKind, customKinds } from '../crds/definitions.js';
import { problemsOfObject } from '../inject/validate.js';
import type { KubernetesSource } from './kubernetes-source.js';

interface Condition {
  type: string;
  status: string;
  reason: string;
  message?: string;
  observedGeneration?: number;
}

export interface StatusOptions {
  clock: Clock;
  leading(): boolean;
  log(line: string): void;
}

/** Call before the source starts. */
export function writeStatuses(
  api: KubeApi,
  source: KubernetesSource,
  options: StatusOptions,
): void {
  for (const kind of customKinds) {
    source.caches[kind].onChange((now) => {
      if (!now || !options.leading()) return;
      const object = now as unknown as AnyObject;
      const wanted = conditionOf(object);
      if (isSaid(object, wanted)) return;
      write(api, kind, object, wanted, options.clock).catch((error: unknown) => {
        // The next change, or the next leader, writes it again: a status is never worth stopping for.
        options.log(`status of ${kind} ${object.metadata.name}: ${messageOf(error)}`);
      });
    });
  }
}

/** The webhook refuses most of this; objects may be older than it, or have come while it was away. */
export function conditionOf(object: AnyObject): Condition {
  const problems = problemsOfObject(object);
  const { generation } = object.metadata;
  const shared = {
    type: 'Accepted',
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
  if (problems.length === 0) {
    return { ...shared, status: 'True', reason: 'Accepted', message: 'in force' };
  }
  const message = problems.map((p) => `${p.path}: ${p.message}`).join('; ');
  return { ...shared, status: 'False', reason: 'Invalid', message: message.slice(0, 1000) };
}

function isSaid(object: AnyObject, wanted: Condition): boolean {
  const conditions = (object.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  return conditions.some(
    (c) =>
      c.type === wanted.type &&
      c.status === wanted.status &&
      c.message === wanted.message &&
      c.observedGeneration === wanted.observedGeneration,
  );
}

async function write(
  api: KubeApi,
  kind: CustomKind,
  { metadata }: AnyObject,
  wanted: Condition,
  clock: Clock,
): Promise<void> {
  const lastTransitionTime = new Date(clock.nowMs()).toISOString();
  const status = { conditions: [{ ...wanted, lastTransitionTime }] };
  await api.patch(resources[kind], metadata.namespace, metadata.name, { status }, 'status');
}
