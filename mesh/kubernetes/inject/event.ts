/** An Event on an object, which `kubectl describe` shows. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../base/clock.js';
import type { KubeApi } from '../client/api.js';
import type { KubeObject, ObjectMeta } from '../client/objects.js';

export interface EventText {
  type: 'Normal' | 'Warning';
  /** One word in camel case. */
  reason: string;
  action: string;
  note: string;
}

export async function recordEvent(
  api: KubeApi,
  clock: Clock,
  regarding: KubeObject,
  reporter: string,
  text: EventText,
): Promise<void> {
  const { namespace = 'default', name, uid, resourceVersion } = regarding.metadata;
  await api.create({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.${randomBytes(6).toString('hex')}`, namespace },
    // Micro-time: six digits after the second.
    eventTime: new Date(clock.nowMs()).toISOString().replace('Z', '000Z'),
    reportingController: 'firedrill.dev/controller',
    reportingInstance: reporter,
    ...text,
    regarding: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      namespace,
      name,
      ...(uid ? { uid } : {}),
      ...(resourceVersion ? { resourceVersion } : {}),
    },
  });
}

/** A pod that is being created may have no name yet: the Event then goes to its owner. */
export function eventTarget(
  pod: { metadata: Partial<ObjectMeta> },
  namespace: string,
): KubeObject | undefined {
  const { name, uid, ownerReferences } = pod.metadata;
  if (name) {
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, ...(uid ? { uid } : {}) },
    };
  }
  const owner = ownerReferences?.[0];
  if (!owner) return undefined;
  const metadata = { name: owner.name, namespace, ...(owner.uid ? { uid: owner.uid } : {}) };
  return { apiVersion: owner.apiVersion, kind: owner.kind, metadata };
}
