/** A drill's changes of the mesh's registry: the retries of calls, their destinations, and their allowed callers. */
import * as z from 'zod';

const retryModes = ['budget', 'storm', 'none'] as const;
export type RetryMode = (typeof retryModes)[number];

const byService = <V extends z.ZodType>(value: V): z.ZodOptional<z.ZodRecord<z.ZodString, V>> =>
  z.record(z.string(), value).optional();

export const registrySettings = z.strictObject({
  retries: z.enum(retryModes).optional(),
  retriesOf: z
    .string()
    .optional()
    .describe('the one service whose calls are retried so; absent: every one'),
  budgetSeconds: z
    .int()
    .min(1)
    .max(60)
    .optional()
    .describe('how long retries that were not used are saved; default 1: hardly'),
  unsafeMethods: z.boolean().optional().describe('POST and the like are retried as well'),
  lockedOut: byService(z.boolean()),
  wrongProfile: byService(z.boolean()),
  routePerUser: byService(z.int().min(1).max(5000)),
  misrouted: byService(z.string()),
});

export type RegistrySettings = z.output<typeof registrySettings>;

export interface RegistryFault {
  kind: 'registry';
  /** Absent: the change applies to the whole mesh. */
  target?: string;
  set: RegistrySettings;
}

/**
 * `budget`: few retries, with backoff, within a budget. `storm`: many at once and without a limit, like a well-meant
 * "just retry". `none`: no retries.
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

/**
 * For a dependency that retries would only burden: a ratio of a tenth. Over one second it cannot be saved up, and of 15
 * requests a second allows one retry in 1.1 seconds; over ten it allows 15 in eleven, all at once too.
 */
export const frugal = ({ budgetSeconds = 1 }: Pick<RegistrySettings, 'budgetSeconds'>): object => ({
  ratio: 0.1,
  minRetriesPerSecond: 0,
  ttl: `${budgetSeconds}s`,
});

/** Of a request, and of each attempt: a longer attempt is given up, and repeated if retries allow it. */
export const retriedTimeouts = { request: '3s', perTry: '500ms' };

/** The settings of all leases together; a later lease overrides an earlier one. */
export const merged = (faults: readonly RegistryFault[]): RegistrySettings =>
  Object.assign({}, ...faults.map(({ set }) => set)) as RegistrySettings;
