/** A destination with a variant's changes: merge patches (RFC 7396) to its routes and backends. */
import type { Destination } from '../model.js';
import type { Variant } from './spec.js';

const ofRoutes = ['retry', 'timeouts', 'rateLimit', 'maxConcurrent'] as const;
const ofBackends = ['breaker', 'balancer', 'limits', 'failFastMs'] as const;

export function changed(destination: Destination, { change }: Variant): Destination {
  const pick = (fields: readonly (keyof typeof change)[]): Record<string, unknown> =>
    Object.fromEntries(fields.filter((f) => change[f] !== undefined).map((f) => [f, change[f]]));
  const route = pick(ofRoutes);
  const backend = pick(ofBackends);
  return {
    ...destination,
    routes: destination.routes.map((r) => {
      // Partial settings are not added to a route that lacks them: a route without retries stays without.
      const known = Object.entries(route).filter(
        ([field, value]) => field in r || !isPartial(field, value),
      );
      return merged(r, Object.fromEntries(known)) as typeof r;
    }),
    backends: destination.backends.map((b) => merged(b, backend) as typeof b),
  };
}

const isPartial = (field: string, value: unknown): boolean =>
  field === 'retry' &&
  typeof value === 'object' &&
  value !== null &&
  !('limit' in value && 'statuses' in value && 'backoff' in value);

function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
