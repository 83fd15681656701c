/**
 * The fields of a route, each described once. Its type, the readers of a proxy's file and of the registry, the
 * annotations of an HTTPRoute and mesh/ROUTE_FIELDS.md come from here.
 */
import {
  choice,
  comparison,
  count,
  filled,
  flag,
  group,
  header,
  hidden,
  list,
  milliseconds,
  name,
  namedComparison,
  needed,
  number,
  type Of,
  pairs,
  preset,
  presetsOf,
  ratio,
  seconds,
  statuses,
  text,
} from './fields.js';

export const budgetFields = {
  ratio: preset(0.2, number('Retries for each request of the last `ttl`.', { max: 1000 })),
  minRetriesPerSecond: preset(10, number('A floor for clients with few requests.')),
  ttlSeconds: preset(10, seconds('How long requests count.', { min: 0.001, max: 3600 })),
};

/** A second of the rate. */
export const usualBurst = (requestsPerSecond: number): number => Math.max(1, requestsPerSecond);

const positive = { registry: { above: 0 } };
const rate = {
  requestsPerSecond: needed(number('The sustained rate.', positive)),
  burst: {
    ...needed(number('Requests at once, beyond the rate.', positive)),
    presetFrom: (beside: Record<string, unknown>) => usualBurst(Number(beside.requestsPerSecond)),
  },
};
export const rateLimitFields = {
  ...rate,
  per: preset(
    'all',
    choice('One bucket for all clients, or one for each client identity.', 'all', 'identity'),
  ),
  overrides: list(
    'Other rates for some clients.',
    group('', {
      identities: needed(list('Exact names, or `*.suffix`.', name(''), 1)),
      ...rate,
    }),
  ),
};

const changeFields = {
  set: pairs('Replaces headers of these names.'),
  add: pairs('Adds headers.'),
  remove: list('Removes headers.', header('')),
};

const matchFields = {
  method: text('The method.', { pattern: /^[A-Z]+$/, expected: 'a method in capitals' }),
  path: comparison(
    'The path, without its query; a prefix is of whole segments.',
    'exact',
    'prefix',
    'regex',
  ),
  headers: list(
    'All of these headers.',
    namedComparison('', 'header', 'exact', 'regex', 'present'),
  ),
  query: list('All of these query parameters.', namedComparison('', 'query', 'exact', 'regex')),
};

const answerFields = {
  status: needed(choice('The status.', 404, 500)),
  reason: needed(name('The reason in metrics, such as `no-route` or `no-backend`.')),
};

const shareFields = {
  backend: needed(name('The backend.')),
  weight: needed(
    number('A weight of 0 never serves; if all are 0, the proxy answers 500.', {
      registry: { max: 1_000_000 },
    }),
  ),
  requestHeaders: hidden(
    group("For this backend's requests, beside the route's own.", changeFields),
  ),
  responseHeaders: hidden(group("For this backend's answers.", changeFields)),
  respond: hidden(
    group('The backend does not exist or may not be used: the answer to its share.', answerFields),
  ),
};

const timeoutFields = {
  requestMs: milliseconds(
    "From the request's head to the response's end, all attempts together; then 504.",
    { profile: 'timeout' },
  ),
  perTryMs: milliseconds('One attempt, to its response head; then a retry, or 504.', {
    profile: 'perTryTimeout',
  }),
  idleMs: milliseconds('Between two reads or writes of a stream.'),
};

const serverErrors: [number, number][] = [[500, 599]];
const grpcStatuses = list('The same for gRPC.', number('', { max: 16, whole: true }));

export const retryFields = {
  limit: preset(
    1,
    count('Retries without the first attempt: 1 means two attempts at most.', {
      registry: { max: 10 },
    }),
  ),
  statuses: preset(serverErrors, statuses('Statuses that are retried.')),
  grpcStatuses,
  onConnectFailure: preset(
    true,
    flag("Also if the connection is refused, or reset before the response's head."),
  ),
  unsafeMethods: preset(
    false,
    flag('Also POST and PATCH: only if the service declared that a repeat is safe.'),
  ),
  backoff: preset(
    {},
    group('The pause before a retry.', {
      baseMs: preset(25, milliseconds('The first one, before jitter.')),
      maxMs: preset(250, milliseconds('The longest one.')),
      jitter: preset(0.5, ratio('1 is full jitter, 0 none.')),
    }),
  ),
  budget: {
    ...group(
      "Retries at most; no limit: in the registry `unlimited`, in a proxy's file absent.",
      budgetFields,
    ),
    preset: {},
    mayBeUnlimited: true as const,
  },
  maxBufferedBytes: preset(65_536, count('Requests with larger bodies are not retried.')),
};

const corsFields = {
  allowOrigins: list(
    'Origins that may read answers: `*`, exact ones, or with `*` for labels of the host.',
    text('', {
      pattern: /^(\*|https?:\/\/(\*|(\*\.)?[A-Za-z0-9.-]+)(:\d{1,5})?)$/,
      expected: 'an origin, such as https://shop.example:8443 or https://*.shop.example',
    }),
  ),
  allowCredentials: flag('Whether requests with cookies are allowed.'),
  allowMethods: list(
    'Methods beside GET, HEAD and POST; `*`: any.',
    text('', { pattern: /^(\*|[A-Z]+)$/, expected: 'a method in capitals, or *' }),
  ),
  allowHeaders: list('Request headers beside the usual ones; `*`: any.', header('')),
  exposeHeaders: list('Headers of answers that scripts may read; `*`: all.', header('')),
  maxAgeSeconds: preset(5, seconds('How long a browser keeps the answer to a preflight.')),
};

export const routeFields = {
  name: needed(name('The route label of metrics.', { minLength: 1, maxLength: 253 })),
  matches: {
    ...filled([], list('Any of these; empty matches everything.', group('', matchFields))),
    registryName: 'match',
  },
  split: filled(
    [],
    list(
      "Shares of the requests; absent: all to the service's own backend, or the file's first.",
      group('', shareFields),
      1,
    ),
  ),
  clientNamespace: hidden(name('Only for clients of this namespace.')),
  respond: hidden(group('The proxy answers by itself, and sends nothing.', answerFields)),
  timeouts: filled({}, group('Absent: no timeouts.', timeoutFields)),
  retry: group('Absent: no retries.', retryFields),
  hedge: group('Copies of slow idempotent requests without a body, within the retry budget.', {
    afterMs: needed(
      milliseconds(
        'If no answer has begun by then, a copy goes to another endpoint, and the first answer counts.',
        { annotation: 'hedge-after' },
      ),
    ),
  }),
  mirror: group('A copy of each chosen request; its answer is dropped.', {
    backend: needed(name('The backend.')),
    fraction: needed(ratio('The share of requests.')),
  }),
  rateLimit: group('Requests beyond it are answered 429 with Retry-After.', rateLimitFields),
  maxConcurrent: {
    ...count('More requests in flight are answered 503 with Retry-After.', positive),
    profile: 'maxConcurrent',
  },
  upgrades: list(
    'Protocols that clients may change to by Upgrade, in lower case; absent: websocket.',
    text('', {
      pattern: /^(?!h2c$|http)[a-z0-9!#$%&'*+.^_`|~-]+$/,
      expected: 'a protocol, not h2c',
    }),
  ),
  requestHeaders: group('Changes of request headers.', changeFields),
  responseHeaders: group('Changes of response headers.', changeFields),
  redirect: group('The proxy answers with a redirect.', {
    scheme: text('The scheme.'),
    host: text('The host.'),
    port: count('The port.', { max: 65_535, registry: { min: 1, max: 65_535 } }),
    path: text('Replaces the whole path.'),
    prefix: hidden(text('Replaces the matched prefix.')),
    status: preset(302, choice('The status.', 301, 302, 303, 307, 308)),
  }),
  cors: group(
    'Cross-origin requests of browsers: preflights are answered, other answers marked in place of the app.',
    corsFields,
  ),
  rewrite: group('Changes of the request line.', {
    host: text('Replaces the authority.'),
    prefix: text('Replaces the matched prefix.'),
    path: text('Replaces the whole path.'),
  }),
  failure: group('The answers that count as failures; absent: 5xx.', {
    statuses: preset(serverErrors, statuses('Statuses of failures.')),
    grpcStatuses,
  }),
};

export type Route = Of<typeof routeFields>;
export type RouteMatch = Of<typeof matchFields>;
export type RetryPolicy = Of<typeof retryFields>;
/** Retries are at most `ratio` of the requests of the last `ttlSeconds`, plus a floor. */
export type RetryBudget = Of<typeof budgetFields>;
export type RateLimit = Of<typeof rateLimitFields>;
export type HeaderChanges = Of<typeof changeFields>;
export type Share = Of<typeof shareFields>;
export type OwnAnswer = Of<typeof answerFields>;

export const defaultBudget = presetsOf(budgetFields) as RetryBudget;
