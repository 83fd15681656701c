/** What a drill may make the mesh's registry say: how calls are retried, where they lead, who may make them. */
import { z } from 'zod';

export const retryModes = ['budget', 'storm', 'none'] as const;
export type RetryMode = (typeof retryModes)[number];

const byService = <V extends z.ZodType>(value: V): z.ZodOptional<z.ZodRecord<z.ZodString, V>> =>
  z.record(z.string(), value).optional();

export const registrySettings = z.strictObject({
  retries: z.enum(retryModes).optional(),
  retriesOf: z
    .string()
    .optional()
    .describe('the one service whose calls are retried so; absent: every one'),
  unsafeMethods: z.boolean().optional().describe('POST and the like are retried as well'),
  lockedOut: byService(z.boolean()),
  wrongProfile: byService(z.boolean()),
  routePerUser: byService(z.int().min(1).max(5000)),
  misrouted: byService(z.string()),
});

export type RegistrySettings = z.output<typeof registrySettings>;

export interface RegistryFault {
  kind: 'registry';
  /** Absent: what the registry says is of the whole mesh. */
  target?: string;
  set: RegistrySettings;
}

/**
 * `budget`: few retries, with backoff, within a budget. `storm`: many at once and without bound, which is how a
 * well-meant "just retry" reads. `none`: no retries.
 */
export function retryOf(
  mode: RetryMode,
  unsafeMethods: boolean,
  budget: object,
): object | undefined {
  if (mode === 'none') return undefined;
  const common = { statuses: ['500-599'], onConnectFailure: true, unsafeMethods };
  if (mode === 'storm') {
    const backoff = { base: '1ms', max: '2ms', jitter: 0 };
    return { limit: 9, ...common, backoff, budget: 'unlimited' };
  }
  const backoff = { base: '25ms', max: '250ms', jitter: 1 };
  return { limit: 2, ...common, backoff, budget };
}

/** For the one dependency that retries would only burden: a tenth, not to be saved up. */
export const frugal = { ratio: 0.1, minRetriesPerSecond: 0, ttl: '1s' };

/** Of a request, and of each try: a try that takes longer is given up, and begun anew where retries allow it. */
export const retriedTimeouts = { request: '3s', perTry: '500ms' };

/** What the leases together say; a later one overrules an earlier one. */
export const merged = (faults: readonly RegistryFault[]): RegistrySettings =>
  Object.assign({}, ...faults.map(({ set }) => set)) as RegistrySettings;
