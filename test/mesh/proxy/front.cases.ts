/**
 * The proxy's handling of one request, whatever the protocols of client and endpoint. Each row runs over HTTP/1.1,
 * over HTTP/2 and over both crossings (front.test.ts); a row that one of them cannot run gives the reason.
 */
import type { FaultLease, InboundServer, Route } from '../../../mesh/model.js';
import type { Answer, Seen, Sent } from './front-rig.js';
import { route } from './rig.js';

export interface Case {
  name: string;
  side: 'inbound' | 'outbound';
  sent?: Sent;
  routes?: Route[];
  /** For the inbound side. */
  server?: Partial<InboundServer>;
  faults?: Omit<FaultLease, 'id' | 'ttlMs'>[];
  /** An endpoint before the app that refuses connections, or one for mirrors. */
  also?: 'refused' | 'shadow';
  app?: (seen: Seen, count: number) => Answer;
  /** The number of requests; the last answer is checked. */
  times?: number;
  status: number;
  /** The request that the app must see; undefined fields are not checked. A header of undefined must be absent. */
  sees?: { path?: string; method?: string; body?: string; authority?: string | RegExp };
  seesHeaders?: Record<string, string | undefined>;
  seesTrailers?: Record<string, string | undefined>;
  gets?: Record<string, string | RegExp | undefined>;
  getsBody?: string | RegExp;
  getsTrailers?: Record<string, string | undefined>;
  /** The number of requests at the app in the end; absent: 1 if the answer is the app's. */
  calls?: number;
  shadowCalls?: number;
  /** Client protocol, then the endpoint's, with the reason. */
  skip?: Partial<Record<'http1' | 'http2' | 'http1-http2' | 'http2-http1', string>>;
}

const ok = (): Answer => ({ body: 'ok' });
const both = (reason: string): NonNullable<Case['skip']> => ({
  http2: reason,
  'http2-http1': reason,
});
const prefix = (value: string, more: Partial<Route> = {}): Route =>
  route({ name: value, matches: [{ path: { kind: 'prefix', value } }], ...more });

type Row = Omit<Case, 'side' | 'status'> & { status?: number };
const row = (c: Row): Case => ({ side: 'outbound', status: 200, ...c });

const passing: Row[] = [
  { name: 'GET', sees: { method: 'GET', path: '/a?b=c' }, sent: { path: '/a?b=c' } },
  { name: 'HEAD', sees: { method: 'HEAD' }, sent: { method: 'HEAD' }, getsBody: '' },
  { name: 'POST with a body', sees: { body: 'hello' }, sent: { method: 'POST', body: 'hello' } },
  { name: 'PUT of nothing', sees: { body: '' }, sent: { method: 'PUT', body: '' } },
  { name: 'DELETE', sees: { method: 'DELETE' }, sent: { method: 'DELETE' } },
  { name: 'a method of its own', sees: { method: 'PURGE' }, sent: { method: 'PURGE' } },
  { name: 'a body of 16 kB', sent: { method: 'POST', body: 'x'.repeat(16_000) } },
  {
    name: 'request trailers',
    sent: { method: 'POST', body: 'b', trailers: [['x-sum', '1']] },
    sees: { body: 'b' },
    seesTrailers: { 'x-sum': '1' },
  },
  {
    name: 'request trailers that end with a letter of two bytes',
    sent: { method: 'POST', body: 'b', trailers: [['x-word', 'voil\xc3\xa0']] },
    seesTrailers: { 'x-word': 'voil\xc3\xa0' },
  },
  {
    name: 'answer trailers',
    app: () => ({ body: 'b', trailers: { 'x-sum': '2' } }),
    getsBody: 'b',
    getsTrailers: { 'x-sum': '2' },
  },
  { name: 'an answer of 404', app: () => ({ status: 404, body: 'no' }), status: 404 },
  { name: 'an answer of 204', app: () => ({ status: 204 }), status: 204, getsBody: '' },
  {
    name: 'an answer of 204 with a length',
    app: () => ({ status: 204, headers: { 'content-length': '5' } }),
    status: 204,
    gets: { 'content-length': undefined },
    getsBody: '',
  },
  {
    name: 'a redirect of the app',
    app: () => ({ status: 308, headers: { location: '/x' } }),
    status: 308,
  },
  { name: 'OPTIONS *', sent: { method: 'OPTIONS', path: '*' }, sees: { path: '*' } },
];

/** Names that only the proxy may set. */
const spellings = [
  'l5d-client-id',
  'L5D-Client-Id',
  'l5d_client_id',
  'l5d-client_id',
  'L5d_Client-ID',
  'l5d-dst-canonical',
  'x-firedrill-identity',
  'X_Firedrill_Identity',
  'l5d.client.id',
  'L5D~Client!Id',
  'l5d+client_id',
  "l5d'client|id",
  'l5d-',
  'x.firedrill.identity',
  'x-firedrill*identity',
  // Read as framing by a server that cannot tell marks apart.
  'Transfer_Encoding',
  'content_length',
  'CONTENT.LENGTH',
  'Keep_Alive',
  'proxy~connection',
  'http2_settings',
];
const reserved: Case[] = spellings.flatMap((name): Case[] => [
  {
    name: `a client says ${name}`,
    side: 'inbound',
    sent: {
      headers: [
        [name, 'admin'],
        ['x-other', '1'],
      ],
    },
    status: 200,
    seesHeaders: { [name.toLowerCase()]: undefined, 'x-other': '1' },
  },
  {
    name: `an app says ${name}`,
    side: 'outbound',
    sent: { headers: [[name, 'admin']] },
    status: 200,
    seesHeaders: { [name.toLowerCase()]: undefined },
  },
]);
const trailers: Case[] = [
  'l5d_client_id',
  'x-firedrill-identity',
  'content-length',
  'host',
  'authorization',
  'set-cookie',
  'set_cookie',
  'x-forwarded-for',
  'l5d.client.id',
  'set.cookie',
  'x~forwarded~for',
].map((name) => ({
  name: `a trailer ${name}`,
  side: 'inbound' as const,
  sent: {
    method: 'POST',
    body: 'b',
    trailers: [
      [name, '9'],
      ['x-sum', '1'],
    ] as const,
  },
  status: 200,
  seesTrailers: { [name]: undefined, 'x-sum': '1' },
}));

/** All clients are refused except by the route `public`. */
const guarded: Partial<InboundServer> = {
  defaultPolicy: 'deny',
  routes: [prefix('/public', { split: [] })],
  authorizations: [{ name: 'all', routes: ['/public'], identities: [], unauthenticated: true }],
};
const bypasses: Case[] = [
  ['/public/x', 200, '/public/x'],
  ['/public/./x', 200, '/public/x'],
  ['/public//x', 200, '/public/x'],
  ['//public/x', 200, '/public/x'],
  ['/other/../public/x', 200, '/public/x'],
  ['/%70ublic/x', 200, '/public/x'],
  ['/public/%7ex?a=/../b', 200, '/public/~x?a=/../b'],
  ['/public/%e2%82%ac', 200, '/public/%E2%82%AC'],
  ['/public/../admin', 403],
  ['/public/%2e%2e/admin', 403],
  ['/public/.%2E/admin', 403],
  ['/public/../../../admin', 403],
  ['/public/..%2fadmin', 400],
  ['/public/..%5cadmin', 400],
  ['/public/..\\admin', 400],
  ['/public/..;/admin', 400],
  ['/public/%2e%2e;a=b/admin', 400],
  ['/public/%00', 400],
  ['/public/%zz', 400],
  ['/public#/../admin', 400],
  ['/publicity', 403],
].map(([path, status, seen]) => ({
  name: `where /public is open, ${path as string}`,
  side: 'inbound' as const,
  server: guarded,
  sent: { path: path as string },
  status: status as number,
  calls: status === 200 ? 1 : 0,
  ...(seen !== undefined && { sees: { path: seen as string } }),
}));

/** All clients are let in except by the route `admin`. */
const closed: Partial<InboundServer> = {
  defaultPolicy: 'deny',
  routes: [prefix('/admin', { split: [] }), prefix('/', { split: [] })],
  authorizations: [
    { name: 'boss', routes: ['/admin'], identities: ['boss.retail'], unauthenticated: false },
    { name: 'all', routes: ['/'], identities: [], unauthenticated: true },
  ],
};
/** Servlets take parameters off a path, and some servers decode it twice: their reading needs its rights too. */
const readings: Case[] = [
  ['/admin;a=b', 403],
  ['/admin;/x', 403],
  ['/;/admin', 403],
  ['/;a=b/;c/admin', 403],
  ['/admin%3ba', 403],
  ['/x/%2e%2e%3b/admin', 403],
  ['/%2561dmin', 403],
  ['/x/%252e%252e/admin', 403],
  ['/%252fadmin', 403],
  ['/admin%253bx', 403],
  ['/%c0%afadmin', 400],
  ['/shop;jsessionid=1/x', 200],
  ['/shop/100%25', 200],
  ['/shop/a%2520b;c', 200],
].map(([path, status]) => ({
  name: `where /admin is closed, ${path as string}`,
  side: 'inbound' as const,
  server: closed,
  sent: { path: path as string },
  status: status as number,
  calls: status === 200 ? 1 : 0,
  ...(status === 200 && { sees: { path: path as string } }),
}));

const strict: Case[] = (
  [
    ['a method in lower case', { method: 'get' }],
    ['a method of 40 letters', { method: 'A'.repeat(40) }],
    ['a method with brackets', { method: 'G(E)T' }],
    ['an authority with a slash', { authority: 'cart/evil' }],
    ['an authority with a user', { authority: 'me@cart' }],
    ['a control character in a value', { headers: [['x', 'a\x01b']] }],
    ['a vertical tab in a value', { headers: [['x', 'a\x0bb']] }],
    ['DEL in a value', { headers: [['x', 'a\x7fb']] }],
    [
      'two lengths that are the same',
      {
        method: 'POST',
        body: 'b',
        headers: [
          ['content-length', '1'],
          ['content-length', '1'],
        ],
      },
    ],
    ['a length that is none', { method: 'POST', headers: [['content-length', '+1']] }],
    ['a path with a space', { path: '/a b' }],
    ['a path beyond ASCII', { path: '/\xe9' }],
    ['nobody asked for', { authority: '' }],
    ['an authority that is a port', { authority: ':80' }],
    ['a port beyond 65535', { authority: 'cart:65536' }],
  ] as [string, Sent][]
).map(([name, sent]) => ({
  name,
  side: 'inbound' as const,
  sent,
  // HTTP/2 answers a malformed request with a reset of its stream.
  status: -400,
  calls: 0,
}));

const edited = { set: [['x-set', 'new']], add: [['x-add', '1']], remove: ['x-gone'] } as const;
const changes: Route['requestHeaders'] = {
  set: [...edited.set.map(([n, v]): [string, string] => [n, v]), ['traceparent', 'of-the-route']],
  add: edited.add.map(([n, v]): [string, string] => [n, v]),
  remove: [...edited.remove],
};
const refuse = (more: Partial<Route>): Route[] => [route(more)];
/** Requests of admins are closed to all, others are open. */
const byRole: Partial<InboundServer> = {
  defaultPolicy: 'deny',
  routes: [
    route({
      name: 'admins',
      matches: [{ headers: [{ name: 'X-Role', kind: 'exact', value: 'admin' }] }],
    }),
    prefix('/', { split: [] }),
  ],
  authorizations: [{ name: 'all', routes: ['/'], identities: [], unauthenticated: true }],
};
const roles = [
  ['X-Role', 403],
  ['X_Role', 200],
  ['x.role', 200],
].map(([name, status]) => ({
  name: `where rights depend on a header, ${name as string}`,
  side: 'inbound' as const,
  server: byRole,
  sent: {
    headers: [
      [name as string, 'admin'],
      ['x_roles', '1'],
    ] as const,
  },
  status: status as number,
  ...(status === 200 && {
    seesHeaders: { [(name as string).toLowerCase()]: undefined, x_roles: '1' },
  }),
}));
const hops = (['inbound', 'outbound'] as const).flatMap((side): Case[] => {
  const said = (method: string, ...values: string[]): Sent => ({
    method,
    headers: values.map((value): [string, string] => ['Max-Forwards', value]),
  });
  return [
    { name: 'OPTIONS that ends here', side, sent: said('OPTIONS', '0'), status: 200, calls: 0 },
    { name: 'TRACE that ends here', side, sent: said('TRACE', '0'), status: 405, calls: 0 },
    {
      name: 'OPTIONS of two more hops',
      side,
      sent: said('OPTIONS', '2'),
      status: 200,
      seesHeaders: { 'max-forwards': '1' },
    },
    {
      name: 'TRACE of many hops',
      side,
      sent: said('TRACE', '10'),
      status: 200,
      seesHeaders: { 'max-forwards': '9' },
    },
    { name: 'two limits of hops', side, sent: said('OPTIONS', '0', '5'), status: 400, calls: 0 },
    { name: 'no number of hops', side, sent: said('TRACE', '-1'), status: 400, calls: 0 },
    {
      name: 'another method’s hops do not count',
      side,
      sent: said('GET', '0'),
      status: 200,
      seesHeaders: { 'max-forwards': '0' },
    },
  ];
});
/** A field that no app gets chooses no route. */
const chosen = ['x-role', 'l5d-client-id', 'x-firedrill-role'].map((name): Case => {
  const tell = (kind: string): NonNullable<Route['requestHeaders']> => ({
    set: [['x-chosen', kind]],
  });
  const matches: Route['matches'] = [{ headers: [{ name, kind: 'exact', value: 'admin' }] }];
  const isReserved = name !== 'x-role';
  return {
    name: `a route by ${name}, ${isReserved ? 'said by a client' : 'which Connection names'}`,
    side: 'inbound',
    server: {
      routes: [
        route({ name: 'admins', matches, requestHeaders: tell('admins') }),
        route({ name: 'all', requestHeaders: tell('all') }),
      ],
    },
    sent: {
      headers: [
        [name, 'admin'],
        ...(isReserved ? [] : [['connection', `close, ${name}`] as const]),
      ],
    },
    status: 200,
    seesHeaders: { [name]: undefined, 'x-chosen': 'all' },
    ...(!isReserved && { skip: both('HTTP/2 has no Connection') }),
  };
});

const policies: Case[] = [
  {
    name: 'a header that the route sets and the flow sets too comes once',
    side: 'outbound',
    routes: [route({ requestHeaders: changes })],
    sent: {
      headers: [
        ['x-gone', '1'],
        ['x-set', 'old'],
        ['X-Set', 'older'],
      ],
    },
    status: 200,
    seesHeaders: { 'x-gone': undefined, 'x-set': 'new', 'x-add': '1' },
  },
  {
    name: 'a header that the route sets or removes, in other spellings',
    side: 'outbound',
    routes: [route({ requestHeaders: changes })],
    sent: {
      headers: [
        ['x_gone', '1'],
        ['X.Set', 'old'],
        ['x_setter', 'stays'],
        ['x_other', 'stays'],
      ],
    },
    status: 200,
    seesHeaders: {
      x_gone: undefined,
      'x.set': undefined,
      'x-set': 'new',
      x_setter: 'stays',
      x_other: 'stays',
    },
  },
  {
    name: 'changes of an answer',
    side: 'outbound',
    routes: [route({ responseHeaders: { set: [['server', 'ours']], remove: ['x-secret'] } })],
    app: () => ({ headers: { server: 'theirs', 'x-secret': '1' } }),
    status: 200,
    gets: { server: 'ours', 'x-secret': undefined },
  },
  {
    name: 'a rewritten prefix and host',
    side: 'outbound',
    routes: [prefix('/a', { rewrite: { prefix: '/b', host: 'other' } })],
    sent: { path: '/a/x?q=1' },
    status: 200,
    sees: { path: '/b/x?q=1', authority: 'other' },
  },
  {
    name: 'a redirect',
    side: 'outbound',
    routes: refuse({ redirect: { scheme: 'https', host: 'shop', status: 301 } }),
    sent: { path: '/x?y=1' },
    status: 301,
    calls: 0,
    gets: { location: 'https://shop/x?y=1' },
  },
  {
    name: 'a rate limit',
    side: 'outbound',
    routes: refuse({ rateLimit: { requestsPerSecond: 0.001, burst: 1, per: 'all' } }),
    times: 2,
    status: 429,
    calls: 1,
    gets: { 'retry-after': /\d/ },
  },
  {
    name: 'no authorization',
    side: 'inbound',
    server: { defaultPolicy: 'all-authenticated' },
    status: 403,
    calls: 0,
    gets: { 'l5d-proxy-error': 'not authorized' },
  },
  {
    name: 'an injected answer',
    side: 'outbound',
    faults: [{ side: 'outbound', ratio: 1, abortStatus: 418 }],
    status: 418,
    calls: 0,
  },
  {
    name: 'an injected answer that has no body',
    side: 'outbound',
    faults: [{ side: 'outbound', ratio: 1, abortStatus: 204 }],
    status: 204,
    calls: 0,
    gets: { 'content-length': undefined },
    getsBody: '',
  },
  {
    name: 'an injected reset',
    side: 'outbound',
    faults: [{ side: 'outbound', ratio: 1, reset: true }],
    status: 0,
    calls: 0,
  },
  {
    name: 'an injected delay',
    side: 'outbound',
    faults: [{ side: 'outbound', ratio: 1, delayMs: 30 }],
    sent: { method: 'POST', body: 'late' },
    status: 200,
    sees: { body: 'late' },
  },
  {
    name: 'a route whose backends weigh nothing answers 500',
    side: 'outbound',
    routes: [prefix('/dead', { split: [{ backend: 'cart', weight: 0 }] })],
    sent: { path: '/dead' },
    status: 500,
    calls: 0,
  },
  {
    name: 'beside a route that cannot be served the others are',
    side: 'outbound',
    routes: [
      prefix('/dead', { split: [{ backend: 'nobody', weight: 1 }] }),
      route({ name: 'broken', matches: [{ path: { kind: 'regex', value: '(' } }] }),
    ],
    status: 200,
  },
];

const cors = { allowOrigins: ['https://*.shop.example', 'http://one:80'], maxAgeSeconds: 5 };
const anyone = { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'], maxAgeSeconds: 60 };
const preflight = (origin: string): Sent => ({
  method: 'OPTIONS',
  headers: [
    ['Origin', origin],
    ['Access-Control-Request-Method', 'PUT'],
    ['Access-Control-Request-Headers', 'x-a,x-b'],
  ],
});
const fromShop = { headers: [['Origin', 'https://a.shop.example']] } as const;
const origins: Row[] = [
  {
    name: 'a preflight of an allowed origin',
    routes: [route({ cors: { ...cors, allowMethods: ['PUT', 'DELETE'], allowHeaders: ['x-a'] } })],
    sent: preflight('https://a.b.shop.example'),
    status: 204,
    calls: 0,
    gets: {
      'access-control-allow-origin': 'https://a.b.shop.example',
      'access-control-allow-methods': 'PUT, DELETE',
      'access-control-allow-headers': 'x-a',
      'access-control-allow-credentials': undefined,
      'access-control-max-age': '5',
      vary: /^origin/,
    },
  },
  ...['https://shop.example.evil', 'https://shop.example', 'https://a.shop.example:1', 'null'].map(
    (origin): Row => ({
      name: `a preflight of ${origin}`,
      routes: [route({ cors })],
      sent: preflight(origin),
      status: 204,
      calls: 0,
      gets: { 'access-control-allow-origin': undefined, 'access-control-max-age': undefined },
    }),
  ),
  {
    name: 'a preflight from an origin with the usual port',
    routes: [route({ cors })],
    sent: preflight('http://one'),
    status: 204,
    calls: 0,
    gets: { 'access-control-allow-origin': 'http://one' },
  },
  {
    name: 'a preflight where everything is allowed, with credentials',
    routes: [route({ cors: { ...anyone, allowCredentials: true } })],
    sent: preflight('http://any:8080'),
    status: 204,
    calls: 0,
    gets: {
      'access-control-allow-origin': 'http://any:8080',
      'access-control-allow-methods': 'PUT',
      'access-control-allow-headers': 'x-a,x-b',
      'access-control-allow-credentials': 'true',
    },
  },
  {
    name: 'a preflight for a route of one method',
    routes: [
      route({ name: 'get', matches: [{ method: 'GET' }], cors: { maxAgeSeconds: 5 } }),
      route({ name: 'put', matches: [{ method: 'PUT' }], cors }),
    ],
    sent: preflight('https://a.shop.example'),
    status: 204,
    calls: 0,
    gets: { 'access-control-allow-origin': 'https://a.shop.example' },
  },
  {
    name: 'an OPTIONS that is no preflight',
    routes: [route({ cors })],
    sent: { method: 'OPTIONS', ...fromShop },
    sees: { method: 'OPTIONS' },
  },
  {
    name: 'an answer to an allowed origin',
    routes: [
      route({
        cors: { ...cors, exposeHeaders: ['x-page', 'x-size'] },
        responseHeaders: { set: [['server', 'ours']] },
      }),
    ],
    sent: fromShop,
    app: () => ({ headers: { 'access-control-allow-origin': '*', server: 'theirs' } }),
    gets: {
      'access-control-allow-origin': 'https://a.shop.example',
      'access-control-expose-headers': 'x-page, x-size',
      server: 'ours',
      vary: 'origin',
    },
  },
  {
    name: 'an answer to another origin',
    routes: [route({ cors })],
    sent: { headers: [['Origin', 'https://evil.example']] },
    app: () => ({ headers: { 'access-control-allow-origin': '*' } }),
    gets: { 'access-control-allow-origin': undefined, vary: 'origin' },
  },
];

const retry: NonNullable<Route['retry']> = {
  limit: 2,
  statuses: [[500, 599]],
  onConnectFailure: true,
  unsafeMethods: false,
  backoff: { baseMs: 1, maxMs: 2, jitter: 0 },
  maxBufferedBytes: 65_536,
};
const ofStreams = 'a stream that is reset says nothing of its connection';
const failsOnce = (_: Seen, count: number): Answer => (count === 1 ? { status: 503 } : ok());
const tries: Row[] = [
  { name: 'GET is retried', routes: [route({ retry })], app: failsOnce, status: 200, calls: 2 },
  {
    name: 'PUT is retried with its body',
    routes: [route({ retry })],
    sent: { method: 'PUT', body: 'again' },
    app: failsOnce,
    status: 200,
    calls: 2,
    sees: { body: 'again' },
  },
  {
    name: 'POST is not',
    routes: [route({ retry })],
    sent: { method: 'POST', body: 'once' },
    app: failsOnce,
    status: 503,
    calls: 1,
  },
  {
    name: 'POST is where the service says that it may',
    routes: [route({ retry: { ...retry, unsafeMethods: true } })],
    sent: { method: 'POST', body: 'twice' },
    app: failsOnce,
    status: 200,
    calls: 2,
  },
  {
    name: 'no more retries than the limit',
    routes: [route({ retry })],
    app: () => ({ status: 503 }),
    status: 503,
    calls: 3,
  },
  {
    name: 'a connection that breaks before the head',
    app: () => ({ instead: 'reset' as const }),
    status: 502,
    calls: 1,
    gets: { 'l5d-proxy-error': /reset/ },
  },
  {
    name: 'a request timeout',
    routes: [route({ timeouts: { requestMs: 60 } })],
    app: () => ({ instead: 'silence' as const }),
    status: 504,
    calls: 1,
  },
  {
    name: 'a try’s timeout, retried',
    routes: [route({ retry, timeouts: { perTryMs: 400 } })],
    app: (_: Seen, count: number): Answer => (count === 1 ? { instead: 'silence' } : ok()),
    status: 200,
    calls: 2,
  },
  {
    name: 'an idle timeout before the head',
    routes: [route({ timeouts: { idleMs: 60 } })],
    app: () => ({ instead: 'silence' as const }),
    status: 504,
    calls: 1,
  },
  { name: 'an endpoint that refuses costs no GET', also: 'refused' as const, status: 200 },
  {
    name: 'an endpoint that refuses costs no POST',
    also: 'refused' as const,
    sent: { method: 'POST', body: 'kept' },
    status: 200,
    sees: { body: 'kept' },
  },
  {
    name: 'an endpoint that refuses costs no POST of 100 kB',
    also: 'refused' as const,
    sent: { method: 'POST', body: 'k'.repeat(100_000) },
    times: 6,
    status: 200,
    calls: 6,
    sees: { body: 'k'.repeat(100_000) },
  },
  {
    name: 'a body beyond the bytes that a retry may keep is sent once',
    routes: [route({ retry: { ...retry, maxBufferedBytes: 1000 } })],
    sent: { method: 'PUT', body: 'x'.repeat(2000) },
    app: failsOnce,
    status: 503,
    calls: 1,
  },
  {
    name: 'a connection that broke while idle costs no PUT',
    sent: { method: 'PUT', body: 'kept' },
    app: (_: Seen, count: number): Answer => (count === 2 ? { instead: 'reset' } : ok()),
    times: 2,
    status: 200,
    calls: 3,
    sees: { body: 'kept' },
    skip: { http2: ofStreams, 'http1-http2': ofStreams },
  },
];

const copied = [route({ mirror: { backend: 'shadow', fraction: 1 } })];
const mirrors: Row[] = [
  { name: 'a copy', routes: copied, status: 200, shadowCalls: 1 },
  {
    name: 'a copy with its body',
    routes: copied,
    sent: { method: 'POST', body: 'both' },
    status: 200,
    shadowCalls: 1,
  },
  {
    name: 'no copy of what is refused',
    routes: copied,
    faults: [{ side: 'outbound' as const, ratio: 1, abortStatus: 503 }],
    status: 503,
    calls: 0,
    shadowCalls: 0,
  },
  {
    name: 'one copy of what is tried twice',
    routes: [{ ...(copied[0] as Route), retry }],
    app: failsOnce,
    status: 200,
    calls: 2,
    shadowCalls: 1,
  },
];

const old: Case[] = [
  {
    name: 'HTTP/1.0 without Host',
    side: 'inbound',
    sent: { version: 'HTTP/1.0', authority: '' },
    status: 200,
    sees: { authority: /^127\.0\.0\.1:\d+$/ },
    skip: both('HTTP/2 has no HTTP/1.0'),
  },
  {
    name: 'OPTIONS of a server by its absolute name',
    side: 'inbound',
    sent: { method: 'OPTIONS', path: 'http://cart', authority: 'other' },
    status: 200,
    sees: { path: '*', authority: 'cart' },
    skip: both('HTTP/2 has no absolute targets'),
  },
  {
    name: 'an absolute target without a host',
    side: 'inbound',
    sent: { path: 'http://:80/' },
    status: 400,
    calls: 0,
    skip: both('HTTP/2 has no absolute targets'),
  },
  {
    name: 'HTTP/1.2',
    side: 'inbound',
    sent: { version: 'HTTP/1.2' },
    status: 505,
    calls: 0,
    skip: both('HTTP/2 has no minor versions'),
  },
  {
    name: 'a length with zeros before it',
    side: 'inbound',
    sent: { method: 'POST', headers: [['content-length', '00']] },
    status: -400,
    calls: 0,
  },
];

/** A request that may have a copy takes another way through the fronts: all the same holds there. */
const hedged = [...passing.map(row), ...reserved, ...trailers, ...policies, ...tries.map(row)]
  .filter((c) => c.side === 'outbound')
  .map((c): Case => {
    const routes = c.routes ?? [route()];
    const hedge = { afterMs: 20 };
    return { ...c, name: `${c.name}, hedged`, routes: routes.map((r) => ({ ...r, hedge })) };
  });

export const cases: Case[] = [
  ...passing.map(row),
  ...reserved,
  ...trailers,
  ...bypasses,
  ...readings,
  ...strict,
  ...chosen,
  ...policies,
  ...roles,
  ...hops,
  ...origins.map(row),
  ...tries.map(row),
  ...mirrors.map((c) => row({ also: 'shadow', ...c })),
  ...old,
  ...hedged,
];
