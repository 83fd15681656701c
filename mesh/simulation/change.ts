/** A destination with a variant's changes: merge patches (RFC 7396) to its routes and backends. */
import type { Destination } from '../model.js';
import { backendFields, checkedConfig } from '../proxy/config.js';

interface Variant {
  name: string;
  change: Readonly<Record<string, unknown>>;
}

/** Any field of a route or a backend can be changed. Throws a UserError if the result is invalid. */
export function changed(destination: Destination, { name, change }: Variant): Destination {
  const fields = Object.entries(change);
  const isOfBackend = (field: string): boolean => field !== 'name' && field in backendFields;
  const ofRoutes = fields.filter(([field]) => !isOfBackend(field));
  const ofBackends = Object.fromEntries(fields.filter(([field]) => isOfBackend(field)));
  const patched = {
    ...destination,
    routes: destination.routes.map((r) => {
      // Partial settings are not added to a route that lacks them: a route without retries stays without.
      const known = ofRoutes.filter(([field, value]) => field in r || !isPartial(field, value));
      return merged(r, Object.fromEntries(known));
    }),
    backends: destination.backends.map((b) => merged(b, ofBackends)),
  };
  const { state } = checkedConfig(
    {
      workload: { name: 'client', namespace: destination.namespace },
      outbound: { host: '127.0.0.1', port: 0 },
      state: { destinations: [patched] },
    },
    name,
  );
  return state?.destinations[0] as Destination;
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
