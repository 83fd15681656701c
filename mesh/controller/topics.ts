/** Topics: names under which proxies subscribe to objects; a subscription stands for one or more topics. */
import type { Destination } from '../model.js';

/** Names that no host can have. */
export const settingsTopic = '@settings';
export const bundleTopic = '@bundle';
/** The name of the one bundle. */
export const bundleName = 'mesh';
export const serversTopic = (namespace: string): string => `@servers/${namespace}`;
const namespaceTopic = (namespace: string): string => `@namespace/${namespace}`;

export function destinationTopics(d: Destination): string[] {
  return [...new Set([d.name, ...d.hosts, ...d.addresses, namespaceTopic(d.namespace), '*'])];
}

/**
 * `*` is all, `*.retail` a namespace, `ip:port` an address; any other is a destination's name or a host. A host is
 * also found under the wildcards that cover it: `a.b.c` under `*.b.c` and `*.c`.
 */
export function topicsOf(subscription: string): string[] {
  if (subscription === '*' || subscription.includes(':')) return [subscription];
  if (subscription.startsWith('*.')) return [namespaceTopic(subscription.slice(2))];
  const parts = subscription.split('.');
  return [subscription, ...parts.slice(1).map((_, i) => `*.${parts.slice(i + 1).join('.')}`)];
}
