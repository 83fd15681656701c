/** Turns a route as the registry writes it into the model's Route. */
import * as z from 'zod';
import type { HeaderChanges, Route, RouteMatch } from '../../model.js';
import { duration, durationSeconds, ratio, regex, statuses } from './fields.js';

/** Whether exactly one of the fields beside `name` is present. */
const oneOf = (value: Record<string, unknown>): boolean =>
  Object.entries(value).filter(([key, v]) => key !== 'name' && v !== undefined).length === 1;

export const retryBudget = z.strictObject({
  ratio: z.number().min(0).max(1000).default(0.2),
  minRetriesPerSecond: z.number().min(0).default(10),
  ttl: durationSeconds.default(10),
});

export const rateLimit = z.strictObject({
  requestsPerSecond: z.number().positive(),
  burst: z.number().positive().optional(),
  per: z.enum(['all', 'identity']).default('all'),
  overrides: z
    .array(
      z.strictObject({
        identities: z.array(z.string()).min(1),
        requestsPerSecond: z.number().positive(),
        burst: z.number().positive().optional(),
      }),
    )
    .default([]),
});

const path = z
  .strictObject({
    exact: z.string().startsWith('/').optional(),
    prefix: z.string().startsWith('/').optional(),
    regex: regex.optional(),
  })
  .refine(oneOf, { message: 'must have one of exact, prefix, regex' });

const match = z.strictObject({
  method: z
    .string()
    .regex(/^[A-Z]+$/, 'must be a method in capitals')
    .optional(),
  path: path.optional(),
  headers: z
    .array(
      z
        .strictObject({
          name: z.string().min(1).toLowerCase(),
          exact: z.string().optional(),
          regex: regex.optional(),
          present: z.literal(true).optional(),
        })
        .refine(oneOf, {
          message: 'must have one of exact, regex, present',
        }),
    )
    .optional(),
  query: z
    .array(
      z
        .strictObject({
          name: z.string().min(1),
          exact: z.string().optional(),
          regex: regex.optional(),
        })
        .refine(oneOf, {
          message: 'must have one of exact, regex',
        }),
    )
    .optional(),
});

const headerChanges = z.strictObject({
  set: z.record(z.string(), z.string()).optional(),
  add: z.record(z.string(), z.string()).optional(),
  remove: z.array(z.string().toLowerCase()).optional(),
});

export const route = z.strictObject({
  name: z.string().min(1).max(253),
  match: z.array(match).default([]),
  split: z
    .array(z.strictObject({ backend: z.string(), weight: z.number().min(0).max(1_000_000) }))
    .min(1)
    .optional(),
  timeouts: z
    .strictObject({
      request: duration.optional(),
      perTry: duration.optional(),
      idle: duration.optional(),
    })
    .default({}),
  retry: z
    .strictObject({
      limit: z.int().min(0).max(10).default(1),
      statuses: statuses.default([[500, 599]]),
      grpcStatuses: z.array(z.int().min(0).max(16)).optional(),
      onConnectFailure: z.boolean().default(true),
      unsafeMethods: z.boolean().default(false),
      backoff: z
        .strictObject({
          base: duration.default(25),
          max: duration.default(250),
          jitter: ratio.default(0.5),
        })
        .default({ base: 25, max: 250, jitter: 0.5 }),
      budget: z.union([z.literal('unlimited'), retryBudget]).optional(),
      maxBufferedBytes: z.int().min(0).default(65_536),
    })
    .optional(),
  hedge: z.strictObject({ after: duration }).optional(),
  mirror: z.strictObject({ backend: z.string(), fraction: ratio }).optional(),
  rateLimit: rateLimit.optional(),
  maxConcurrent: z.int().positive().optional(),
  upgrades: z
    .array(
      z.string().regex(/^(?!h2c$|http)[a-z0-9!#$%&'*+.^_`|~-]+$/, 'must be a protocol, not h2c'),
    )
    .optional(),
  requestHeaders: headerChanges.optional(),
  responseHeaders: headerChanges.optional(),
  redirect: z
    .strictObject({
      scheme: z.string().optional(),
      host: z.string().optional(),
      port: z.int().min(1).max(65535).optional(),
      path: z.string().optional(),
      status: z
        .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
        .default(302),
    })
    .optional(),
  rewrite: z
    .strictObject({
      host: z.string().optional(),
      prefix: z.string().optional(),
      path: z.string().optional(),
    })
    .optional(),
  failure: z
    .strictObject({
      statuses: statuses.default([[500, 599]]),
      grpcStatuses: z.array(z.int().min(0).max(16)).optional(),
    })
    .optional(),
});

export type RegistryRoute = z.output<typeof route>;

export function budgetOf(
  b: z.output<typeof retryBudget>,
): NonNullable<Route['retry']>['budget'] & {} {
  return { ratio: b.ratio, minRetriesPerSecond: b.minRetriesPerSecond, ttlSeconds: b.ttl };
}

export function rateLimitOf(limit: z.output<typeof rateLimit>): NonNullable<Route['rateLimit']> {
  const { requestsPerSecond, per } = limit;
  return {
    requestsPerSecond,
    burst: limit.burst ?? Math.max(1, requestsPerSecond),
    per,
    ...(limit.overrides.length > 0 && {
      overrides: limit.overrides.map((o) => ({
        ...o,
        burst: o.burst ?? Math.max(1, o.requestsPerSecond),
      })),
    }),
  };
}

/** `own` is the backend of a route that names none; undefined on the inbound side. */
export function routeOf(r: RegistryRoute, own: string | undefined): Route {
  const { request, perTry, idle } = r.timeouts;
  return {
    name: r.name,
    matches: r.match.map(matchOf),
    split: r.split ?? (own === undefined ? [] : [{ backend: own, weight: 1 }]),
    timeouts: {
      ...(request !== undefined && { requestMs: request }),
      ...(perTry !== undefined && { perTryMs: perTry }),
      ...(idle !== undefined && { idleMs: idle }),
    },
    ...(r.retry && { retry: retryOf(r.retry) }),
    ...(r.hedge && { hedge: { afterMs: r.hedge.after } }),
    ...(r.mirror && { mirror: r.mirror }),
    ...(r.rateLimit && { rateLimit: rateLimitOf(r.rateLimit) }),
    ...(r.maxConcurrent !== undefined && { maxConcurrent: r.maxConcurrent }),
    ...(r.upgrades && { upgrades: r.upgrades }),
    ...(r.requestHeaders && { requestHeaders: headersOf(r.requestHeaders) }),
    ...(r.responseHeaders && { responseHeaders: headersOf(r.responseHeaders) }),
    ...(r.redirect && { redirect: compact(r.redirect) }),
    ...(r.rewrite && { rewrite: compact(r.rewrite) }),
    ...(r.failure && { failure: compact(r.failure) }),
  };
}

function retryOf(retry: NonNullable<RegistryRoute['retry']>): NonNullable<Route['retry']> {
  const { budget, backoff, grpcStatuses, ...rest } = retry;
  return {
    ...rest,
    ...(grpcStatuses && { grpcStatuses }),
    backoff: { baseMs: backoff.base, maxMs: backoff.max, jitter: backoff.jitter },
    ...(budget !== 'unlimited' && {
      budget: budgetOf(budget ?? { ratio: 0.2, minRetriesPerSecond: 10, ttl: 10 }),
    }),
  };
}

function matchOf(m: z.output<typeof match>): RouteMatch {
  return {
    ...(m.method !== undefined && { method: m.method }),
    ...(m.path && { path: kindOf(m.path) }),
    ...(m.headers && {
      headers: m.headers.map(({ name, exact, regex: pattern }) =>
        exact === undefined && pattern === undefined
          ? { name, kind: 'present' as const }
          : { name, ...kindOf({ exact, regex: pattern }) },
      ),
    }),
    ...(m.query && {
      query: m.query.map((q) => ({ name: q.name, ...kindOf({ exact: q.exact, regex: q.regex }) })),
    }),
  };
}

function kindOf<K extends string>(p: { [key in K]?: string | undefined }): {
  kind: K;
  value: string;
} {
  for (const [kind, value] of Object.entries(p)) {
    if (value !== undefined) return { kind: kind as K, value: value as string };
  }
  throw new Error('the schema lets no empty match through');
}

function headersOf(changes: z.output<typeof headerChanges>): HeaderChanges {
  const { set, add, remove } = changes;
  return {
    ...(set && { set: Object.entries(set) }),
    ...(add && { add: Object.entries(add) }),
    ...(remove && { remove }),
  };
}

/** Drops undefined fields, which JSON would drop too and the model's types do not allow. */
function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
