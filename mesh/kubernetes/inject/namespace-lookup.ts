/** Reads a pod's namespace at the API server, because a cache may not yet contain a new namespace or annotation. */
import type { Clock } from '../../../base/clock.js';
import { messageOf } from '../../../base/errors.js';
import type { KubeApi } from '../client/api.js';
import type { Informer } from '../client/informer.js';
import { resources } from '../client/objects.js';
import type { Namespace } from '../discovery/types.js';

/** The API server waits 10 s for a webhook; it is near, and answers in milliseconds. */
const withinMs = 2000;
/** Further concurrent lookups use the cache: a burst of pods must not become a burst of requests. */
const maxAsked = 64;

/**
 * Asks the API server; if the answer takes longer than 2 s or fails, asks the cache. Throws if neither answers: the
 * failurePolicy then decides whether the pod may start without a proxy. Undefined: the namespace does not exist.
 */
export function namespaceLookup(
  api: KubeApi,
  cache: Informer<Namespace>,
  clock: Clock,
): (name: string) => Promise<Namespace | undefined> {
  let asked = 0;
  const ask = (name: string): Promise<Namespace | undefined> => {
    asked++;
    return new Promise((resolve, reject) => {
      const late = clock.after(withinMs, () => reject(new Error(`no answer in ${withinMs} ms`)));
      api
        .find<Namespace>(resources.Namespace, undefined, name)
        .then(resolve, reject)
        .finally(() => {
          asked--;
          late.cancel();
        });
    });
  };
  return async (name) => {
    const cached = cache.get('', name);
    if (cached && asked >= maxAsked) return cached;
    try {
      return await ask(name);
    } catch (error) {
      if (cached) return cached;
      throw new Error(`namespace ${name} is not known: ${messageOf(error)}`, { cause: error });
    }
  };
}
