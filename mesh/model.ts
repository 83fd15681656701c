/**
 * The configuration that a proxy receives: one model, whether it comes from a file or from the controller's stream,
 * and whichever object (ServiceProfile, HTTPRoute, annotation, registry file) it was written in. Plain JSON:
 * everything here survives JSON.stringify, and a proxy caches the same text on disk as its last known good.
 */
import type { BackendPolicy } from './schema/backend.js';
import type { RateLimit, RetryBudget, Route } from './schema/route.js';

export type { BreakerPolicy } from './schema/backend.js';
export type {
  HeaderChanges,
  OwnAnswer,
  RateLimit,
  RetryBudget,
  RetryPolicy,
  Route,
  RouteMatch,
  Share,
} from './schema/route.js';
import type { AccessPolicy, DeclaredProtocol } from './schema/choices.js';

/** The selection of a destination by outbound connections and requests, and its properties. */
export interface Destination {
  /** `cart.retail`: service and namespace; the `dst` of metrics. */
  name: string;
  service: string;
  namespace: string;
  /** Host names (lower case, no port) that select it; a leading `*.` matches one or more labels. */
  hosts: string[];
  /** `ip:port` of the service address (cluster IP), for transparent mode. */
  addresses: string[];
  protocol: DeclaredProtocol;
  /** Tried in order, the first match wins; if none matches, the default route: first backend, no retries. */
  routes: Route[];
  backends: Backend[];
  /** The budget of retries without a route's policy: those of unprocessed requests. Absent: 0.2, 10 a second, 10 s. */
  retryBudget?: RetryBudget;
  /** The service has no address of its own: clients dial its endpoints directly (transparent mode). */
  headless?: true;
}

export interface Backend extends BackendPolicy {
  name: string;
  endpoints: Endpoint[];
  /** The choice among the endpoints by the proxy's own place; the controller makes it, and sends its result alone. */
  reach?: Reach;
}

/** The levels of places, in order: the first with an endpoint for the proxy counts. */
export interface Reach {
  levels: PlaceLevel[];
  /** Where no level has an endpoint, there is none; otherwise all are used. */
  strict?: true;
}

export type PlaceLevel = 'node' | 'zone';

/** The place of a proxy, by the names that the cluster gave. */
export type Place = { [level in PlaceLevel]?: string };

export interface Endpoint {
  /** `ip:port` of the proxy or app to connect to. */
  address: string;
  /** The peer's expected name (its certificate's DNS SAN); absent: plaintext, allowed only by policy. */
  identity?: string;
  /** Use HTTP/2 whatever protocol the client used. */
  http2?: boolean;
  weight?: number;
  zone?: string;
  /** For metrics: pod, deployment and the like. */
  labels?: Record<string, string>;
  /** Set for a meshed pod, where every port of the address leads to its proxy: the ports that do not. */
  plainPorts?: number[];
  /** Beside `reach`: the nodes and zones whose proxies the endpoint is for. */
  places?: { [level in PlaceLevel]?: string[] };
}

/** One port of the workload for which the inbound side accepts connections. */
export interface InboundServer {
  name: string;
  /**
   * The original destination's port, or the proxy's own inbound port in explicit mode. 0 stands for every port that
   * no other server has (transparent mode): its connections go to the address and port that were dialled.
   */
  port: number;
  /** The app's listener, `ip:port`; not used for port 0. */
  target: string;
  /** For port 0: ports whose bytes are not examined. */
  opaquePorts?: number[];
  protocol: DeclaredProtocol;
  /** The policy for a peer without a mesh identity, or not on any authorization's list. */
  defaultPolicy: AccessPolicy;
  authorizations: Authorization[];
  routes: Route[];
  rateLimit?: RateLimit;
  maxConcurrent?: number;
}

export interface Authorization {
  name: string;
  /** The routes that the authorization applies to; absent: the whole server. */
  routes?: string[];
  /** Exact identities, or `*.suffix`; `*` is any mesh identity. Empty with `unauthenticated` false matches none. */
  identities: string[];
  unauthenticated: boolean;
  /** CIDRs; absent: any. */
  networks?: string[];
}

/** A fault that the proxy injects into itself: a lease that lapses unless renewed. See mesh/proxy/flow/fault. */
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
  /** The lease ends after this time unless renewed, counted from receipt. */
  ttlMs: number;
}

/** The whole state that a proxy serves; the controller streams it, and the proxy caches it on disk. */
export interface MeshState {
  /** Grows with each change at the source. */
  version: number;
  destinations: Destination[];
  servers: InboundServer[];
  /** The policy for addresses that no destination covers: pass through, or refuse. */
  unknownDestinations: 'forward' | 'refuse';
}

/** An extra label on metrics, traces and logs of requests, such as the tenant; from one of two sources. */
export interface RequestLabelPolicy {
  name: string;
  /** Lower case. */
  header?: string;
  /** The caller's certificate: the whole name or a part of it. */
  identity?: 'name' | 'namespace' | 'service-account';
  /** Values with series of their own; absent: the first `max` values that come. */
  values?: string[];
  /** 50 when absent. Further values count as `overflow`. */
  max?: number;
}

/** The proxy's configuration. File: JSON or YAML; mesh/proxy/config.ts has the schema, README.md documents it. */
export interface ProxyConfig {
  /**
   * `zone`: endpoints of the same zone are preferred. `service`: the name that callers use if each replica has a name
   * of its own; inbound series have it as their `dst`, so that they match the callers' series.
   */
  workload: {
    name: string;
    namespace: string;
    service?: string;
    zone?: string;
    labels?: Record<string, string>;
  };
  /** 0 picks a free port; the chosen ports are printed on standard output as one JSON line. */
  inbound?: { host: string; port: number; mode: 'explicit' | 'transparent' };
  outbound?: { host: string; port: number; mode: 'explicit' | 'transparent' };
  /** Further ports of the outbound side, each for the one destination that has it among its `addresses`. */
  calls?: { host: string; port: number }[];
  /** `shutdown`: POST /shutdown ends the proxy. */
  admin: { host: string; port: number; shutdown?: boolean };
  /** Absent: no mTLS. Files are watched and reloaded; with a controller, certificates come from it. */
  identity?: {
    name: string;
    trustAnchorsFile: string;
    certificateFile?: string;
    keyFile?: string;
  };
  controller?: {
    /** Tried in turn with jittered backoff. */
    addresses: string[];
    /** The controller's expected name. */
    identity: string;
    tokenFile: string;
    /** `*` (the default), `*.retail`, `cart.retail`: the proxy subscribes to more as clients use them. */
    subscribe?: string[];
  };
  /** Static state; with a controller, it is served only until the first snapshot. */
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
    /** The limit for requests' and answers' heads, in both protocols. */
    maxHeadBytes?: number;
    /** New requests are refused from this much memory on. */
    maxMemoryBytes?: number;
    /** From a head's first byte to its last. */
    headTimeoutMs?: number;
    /** Between two requests of a connection. */
    idleTimeoutMs?: number;
    connectTimeoutMs?: number;
  };
  /**
   * How HTTP/1.1 requests go from one proxy to the next: over a few HTTP/2 connections, or each on its own
   * connection.
   */
  http1BetweenProxies?: 'http2' | 'http1';
  drainSeconds?: number;
  /** For Kubernetes: the app's own probes, which the admin port makes for the kubelet; by `container/kind`. */
  probes?: Record<string, AppProbe>;
}

/** A container's probe, as the kubelet would make it. */
export type AppProbe = { port: number; timeoutMs: number } & (
  | { kind: 'tcp' }
  | { kind: 'http'; path: string; tls?: boolean; headers?: [string, string][] }
  | { kind: 'grpc'; service: string }
);
