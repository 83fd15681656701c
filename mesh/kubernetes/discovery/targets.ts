/** Checks whether the target of an object exists: a policy without a target protects nothing, and must say so. */
import type { AnyObject, KubeObject } from '../client/objects.js';
import type { AuthorizationPolicySpec, ServerSpec, TrafficSplitSpec } from './specs.js';
import { profileService, type Store } from './store.js';
import { isMeshed, selects } from './workload.js';

export interface Finding {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

const inForce: Finding = { status: 'True', reason: 'Accepted', message: 'in force' };
const missing = (message: string): Finding => ({
  status: 'False',
  reason: 'TargetNotFound',
  message,
});

/** Returns the finding for an object without problems of its own. */
export function targetFinding(object: AnyObject, store: Store): Finding {
  const namespace = object.metadata.namespace ?? 'default';
  switch (object.kind) {
    case 'ServiceProfile':
      return ofService(profileService(object.metadata.name, namespace), namespace, store);
    case 'TrafficSplit': {
      const { service = '', matches } = object.spec as Partial<TrafficSplitSpec>;
      if (matches?.length) {
        const message = 'matches: a split of some requests alone is not done; write an HTTPRoute';
        return { status: 'False', reason: 'UnsupportedValue', message };
      }
      return ofService(profileService(service, namespace), namespace, store);
    }
    case 'AuthorizationPolicy':
    case 'RateLimit': {
      const { kind, name } = (object.spec as AuthorizationPolicySpec).targetRef;
      if (kind === 'Namespace') return inForce;
      const found = (store as unknown as Readonly<Record<string, ReadonlyMap<string, KubeObject>>>)[
        kind
      ];
      if (found?.has(`${namespace}/${name}`)) return inForce;
      return missing(`there is no ${kind} ${name} in ${namespace}: nothing is governed by this`);
    }
    case 'Server': {
      const { podSelector } = object.spec as ServerSpec;
      for (const pod of store.Pod.values()) {
        if (pod.metadata.namespace !== namespace || !isMeshed(pod)) continue;
        if (selects(podSelector, pod.metadata.labels)) return inForce;
      }
      return { ...inForce, reason: 'NoPods', message: 'in force, and selects no meshed pod now' };
    }
    default:
      return inForce;
  }
}

function ofService(key: string, namespace: string, store: Store): Finding {
  if (!store.Service.has(key)) return missing(`there is no Service ${key}`);
  if (key.startsWith(`${namespace}/`)) return inForce;
  return { ...inForce, message: `in force for clients of namespace ${namespace}` };
}
