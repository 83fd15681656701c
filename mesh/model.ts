/**
 * What a proxy is told: one model, whether it comes from a file or from the controller's stream, and whichever
 * object (ServiceProfile, HTTPRoute, annotation, registry file) it was written in. Plain JSON: everything here
 * survives JSON.stringify, and the same text is what a proxy caches on disk as its last known good.
 */

/** How an outbound connection or request finds its destination, and what is known of that destination. */
export interface Destination {
  /** `cart.retail`: service and namespace; the `dst` of metrics. */
  name: string;
  service: string;
  namespace: string;
  /** Host names (lower case, no port) that select it; a leading `*.` matches one or more labels. */
  hosts: string[];
  /** `ip:port` of the service address (cluster IP), for transparent mode. */
  addresses: string[];
  /** `detect` looks at the first bytes; `opaque` never does. */
  protocol: 'detect' | 'http1' | 'http2' | 'opaque';
  /** Tried in order, the first match wins; where none matches, the default route: first backend, no retries. */
  routes: Route[];
  backends: Backend[];
  /** Of repeats that no route asks for: of what was not processed. Absent: 0.2, 10 a second, 10 s. */
  retryBudget?: RetryBudget;
  /** It has no address of its own: clients dial its endpoints, each by its own address (transparent mode). */
  headless?: true;
}

export interface Route {
  name: string;
  /** Any of these; empty matches everything. */
  matches: RouteMatch[];
  /** Weights are relative. A weight of 0 never serves; where all are 0 the proxy answers 500. */
  split: Share[];
  /** Only for clients of this namespace; absent: for all. */
  clientNamespace?: string;
  /** The proxy answers by itself, and nothing is sent. */
  respond?: OwnAnswer;
  timeouts: Timeouts;
  retry?: RetryPolicy;
  mirror?: { backend: string; fraction: number };
  rateLimit?: RateLimit;
  /** At most this many requests under way at once on this route; more answer 503 with Retry-After. */
  maxConcurrent?: number;
  /** Protocols that clients may change to by Upgrade, in lower case; absent: websocket. Never h2c. */
  upgrades?: string[];
  requestHeaders?: HeaderChanges;
  responseHeaders?: HeaderChanges;
  redirect?: {
    scheme?: string;
    host?: string;
    port?: number;
    /** The whole path, or what replaces the matched prefix. */
    path?: string;
    prefix?: string;
    status: 301 | 302 | 303 | 307 | 308;
  };
  /** Replaces the matched prefix or the whole path. */
  rewrite?: { host?: string; prefix?: string; path?: string };
  /** ServiceProfile's response classes and gRPC's: which answers count as failures. Default: 5xx. */
  failure?: { statuses: [number, number][]; grpcStatuses?: number[] };
}

/** What a backend gets of a route's requests. */
export interface Share {
  backend: string;
  weight: number;
  /** Of what goes to this backend; beside the route's own. */
  requestHeaders?: HeaderChanges;
  responseHeaders?: HeaderChanges;
  /** There is no such backend, or it may not be sent to: its share is answered. */
  respond?: OwnAnswer;
}

export interface OwnAnswer {
  status: 404 | 500;
  /** `no-route`, `no-backend` and the like: the reason in metrics. */
  reason: string;
}

export interface RouteMatch {
  method?: string;
  path?: { kind: 'exact' | 'prefix' | 'regex'; value: string };
  headers?: { name: string; kind: 'exact' | 'regex' | 'present'; value?: string }[];
  query?: { name: string; kind: 'exact' | 'regex'; value: string }[];
}

/** All in milliseconds; absent means none. */
export interface Timeouts {
  /** From the request's head to the response's end, all tries together. Answers 504. */
  requestMs?: number;
  /** One try, to its response head. Answers 504, or retries. */
  perTryMs?: number;
  /** Between two reads or writes of a stream. */
  idleMs?: number;
}

export interface RetryPolicy {
  /** Retries, not tries: 1 means two tries at most. */
  limit: number;
  /** Statuses that are retried, as inclusive ranges, such as [[500, 599]]. */
  statuses: [number, number][];
  grpcStatuses?: number[];
  /** Connection refused or reset before the response's head. */
  onConnectFailure: boolean;
  /** Also for methods that are not idempotent (POST, PATCH): only where the service declared it safe. */
  unsafeMethods: boolean;
  backoff: { baseMs: number; maxMs: number; /** 1 is full jitter, 0 none. */ jitter: number };
  /** Absent: unlimited (only a chaos scenario wants that). */
  budget?: RetryBudget;
  /** Bodies beyond this are not retried, in bytes. */
  maxBufferedBytes: number;
}

/** Retries are at most `ratio` of the requests of the last `ttlSeconds`, plus a floor. */
export interface RetryBudget {
  ratio: number;
  minRetriesPerSecond: number;
  ttlSeconds: number;
}

export interface RateLimit {
  requestsPerSecond: number;
  burst: number;
  /** One bucket for all, or one for each client identity. */
  per: 'all' | 'identity';
  overrides?: { identities: string[]; requestsPerSecond: number; burst: number }[];
}

export interface HeaderChanges {
  set?: [string, string][];
  add?: [string, string][];
  remove?: string[];
}

export interface Backend {
  name: string;
  endpoints: Endpoint[];
  balancer: {
    kind: 'ewma' | 'random';
    defaultRttMs: number;
    decaySeconds: number;
    slowStartSeconds: number;
  };
  breaker?: BreakerPolicy;
  limits: { maxConnections: number; maxPending: number; maxRequests: number };
  /** `failFast` answers 503 when no endpoint has been ready for this long, in milliseconds. */
  failFastMs: number;
}

export interface Endpoint {
  /** `ip:port` of the proxy or app to connect to. */
  address: string;
  /** The peer's expected name (its certificate's DNS SAN); absent: plaintext, allowed only by policy. */
  identity?: string;
  /** Speak HTTP/2 to it whatever the client spoke. */
  http2?: boolean;
  weight?: number;
  zone?: string;
  /** For metrics: pod, deployment and the like. */
  labels?: Record<string, string>;
  /** Present where every port of the address leads to its proxy (a meshed pod): every port but these. */
  plainPorts?: number[];
}

/** Textbook words: closed lets all through, open lets none, half-open lets one probe. */
export interface BreakerPolicy {
  consecutiveFailures: number;
  /** Also trips below this success rate over the window, given at least `minRequests`. */
  successRate?: { threshold: number; windowSeconds: number; minRequests: number };
  minOpenMs: number;
  maxOpenMs: number;
  jitter: number;
  /** Never more than this share of endpoints open at once (at least one may be). */
  maxEjectedRatio: number;
  /** Below this share of closed endpoints, ignore breakers and use all (panic). */
  panicRatio: number;
}

/** One port of the workload that the inbound side accepts for. */
export interface InboundServer {
  name: string;
  /**
   * The port that peers mean: the original destination's, or the proxy's own inbound port in explicit mode. 0 is every
   * port that no other server has (transparent mode): what comes goes to the address and port that was dialled.
   */
  port: number;
  /** Where the app listens, `ip:port`; of port 0 not read. */
  target: string;
  /** Of port 0: ports whose bytes are not looked at. */
  opaquePorts?: number[];
  protocol: 'detect' | 'http1' | 'http2' | 'opaque';
  /** What is done with a peer without a mesh identity, or not on any authorization's list. */
  defaultPolicy:
    'all-unauthenticated' | 'all-authenticated' | 'cluster-authenticated' | 'audit' | 'deny';
  authorizations: Authorization[];
  routes: Route[];
  rateLimit?: RateLimit;
  maxConcurrent?: number;
}

export interface Authorization {
  name: string;
  /** Route names this applies to; absent: the whole server. */
  routes?: string[];
  /** Exact identities, or `*.suffix`; `*` is any mesh identity. Empty with `unauthenticated` false matches none. */
  identities: string[];
  unauthenticated: boolean;
  /** CIDRs; absent: any. */
  networks?: string[];
}

/** A fault that the proxy itself injects: a lease that lapses unless renewed. See mesh/proxy/fault.ts. */
export interface FaultLease {
  id: string;
  side: 'inbound' | 'outbound';
  match?: {
    destination?: string;
    route?: string;
    method?: string;
    pathPrefix?: string;
    identity?: string;
  };
  /** Share of matching requests, 0 to 1. */
  ratio: number;
  delayMs?: number;
  delayJitterMs?: number;
  abortStatus?: number;
  reset?: boolean;
  blackhole?: boolean;
  bytesPerSecond?: number;
  /** The lease ends then unless renewed, counted from receipt. */
  ttlMs: number;
}

/** Everything a proxy serves by; what the controller streams and what is cached on disk. */
export interface MeshState {
  /** Grows with each change at the source. */
  version: number;
  destinations: Destination[];
  servers: InboundServer[];
  /** Used for what no destination covers: pass through, or refuse. */
  unknownDestinations: 'forward' | 'refuse';
}

/** One more label on what is counted, traced and logged of requests, such as the tenant; from one of two sources. */
export interface RequestLabelPolicy {
  name: string;
  /** Lower case. */
  header?: string;
  /** Of the caller's certificate: the whole name or a part of it. */
  identity?: 'name' | 'namespace' | 'service-account';
  /** Those that have series of their own; absent: the first `max` that come. */
  values?: string[];
  /** 50 where absent. What is beyond counts as `overflow`. */
  max?: number;
}

/** What the proxy is started with. File: JSON or YAML, the schema is in mesh/proxy/config.ts and documented. */
export interface ProxyConfig {
  /**
   * `zone`: endpoints of the same one are preferred. `service`: as callers know it, where each replica has a name of
   * its own; inbound series bear it as their `dst`, so that they meet those of the callers.
   */
  workload: {
    name: string;
    namespace: string;
    service?: string;
    zone?: string;
    labels?: Record<string, string>;
  };
  /** 0 picks a free port; the chosen ones are said on standard output as one JSON line. */
  inbound?: { host: string; port: number; mode: 'explicit' | 'transparent' };
  outbound?: { host: string; port: number; mode: 'explicit' | 'transparent' };
  /** More ports of the outbound side, each for the one destination that has it among its `addresses`. */
  calls?: { host: string; port: number }[];
  /** `shutdown`: POST /shutdown ends the proxy. */
  admin: { host: string; port: number; shutdown?: boolean };
  /** Absent: no mTLS at all. Files are watched and reloaded; with a controller, certificates come from it. */
  identity?: {
    name: string;
    trustAnchorsFile: string;
    certificateFile?: string;
    keyFile?: string;
  };
  controller?: {
    /** Tried in turn with jittered backoff. */
    addresses: string[];
    /** Expected name of the controller. */
    identity: string;
    tokenFile: string;
    /** `*` (the default), `*.retail`, `cart.retail`: more is asked for as it is met. */
    subscribe?: string[];
  };
  /** Static state; with a controller, only what to serve by until the first snapshot. */
  state?: MeshState;
  /** Folder for the last known good configuration and certificate, mode 0700. */
  cacheFolder?: string;
  skipPorts?: { inbound: number[]; outbound: number[] };
  tracing?: { otlpUrl: string; sampleRatio: number; service?: string };
  requestLabel?: RequestLabelPolicy;
  accessLog?: 'off' | 'stdout' | string;
  limits?: {
    /** Clients' connections on each side. */
    maxConnections?: number;
    /** Of requests and of answers, in both protocols. */
    maxHeadBytes?: number;
    /** Resident memory from which on new requests are refused. */
    maxMemoryBytes?: number;
    /** From a head's first byte to its last. */
    headTimeoutMs?: number;
    /** Between two requests of a connection. */
    idleTimeoutMs?: number;
    connectTimeoutMs?: number;
  };
  /** How requests of HTTP/1.1 go from one proxy to the next: on a few connections of HTTP/2, or each on its own. */
  http1BetweenProxies?: 'http2' | 'http1';
  drainSeconds?: number;
  /** Of Kubernetes: the app's own probes, which the admin port makes for the kubelet; by `container/kind`. */
  probes?: Record<string, AppProbe>;
}

/** How a container says that it is well, as the kubelet would ask it. */
export type AppProbe = { port: number; timeoutMs: number } & (
  | { kind: 'tcp' }
  | { kind: 'http'; path: string; tls?: boolean; headers?: [string, string][] }
  | { kind: 'grpc'; service: string }
);
