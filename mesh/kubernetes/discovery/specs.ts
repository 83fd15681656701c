/** The specs of the objects that users write: ours, SMI's TrafficSplit, and the Gateway API's routes. */
import type { LabelSelector } from './workload.js';
import type { AccessPolicy } from '../../schema/choices.js';

export interface ProfileCondition {
  method?: string;
  pathRegex?: string;
  all?: ProfileCondition[];
  any?: ProfileCondition[];
  not?: ProfileCondition;
}

export interface ServiceProfileSpec {
  routes?: {
    name: string;
    condition: ProfileCondition;
    responseClasses?: {
      condition: { status?: { min?: number; max?: number } };
      isFailure?: boolean;
    }[];
    isRetryable?: boolean;
    /** The fields to which mesh/schema/route.ts gives a name in a profile. */
    [named: string]: unknown;
  }[];
  retryBudget?: { retryRatio: number; minRetriesPerSecond: number; ttl: string };
  dstOverrides?: { authority: string; weight: number }[];
}

/** SMI, v1alpha1 to v1alpha4. Weights of v1alpha1 are quantities: `500m` is half of `1`. */
export interface TrafficSplitSpec {
  service: string;
  backends: { service: string; weight: number | string }[];
  /** Since v1alpha3: the HTTPRouteGroups to whose requests alone the split applies. */
  matches?: unknown[];
}

/** Returns a split's shares as whole numbers in the given proportions; 0 for an invalid quantity. */
export function splitShares({
  backends = [],
}: TrafficSplitSpec): { service: string; weight: number }[] {
  const thousandths = backends.map(({ weight }) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)(m|k|)$/.exec(String(weight)) ?? [];
    const factor = unit === 'm' ? 1 : unit === 'k' ? 1e6 : 1000;
    return digits === undefined ? 0 : Math.round(Number(digits) * factor);
  });
  const scale = thousandths.every((w) => w % 1000 === 0) ? 1000 : 1;
  return backends.map(({ service }, i) => ({ service, weight: (thousandths[i] ?? 0) / scale }));
}

export interface ServerSpec {
  podSelector: LabelSelector;
  port: number | string;
  proxyProtocol?: 'unknown' | 'HTTP/1' | 'HTTP/2' | 'gRPC' | 'opaque' | 'TLS';
  accessPolicy?: AccessPolicy;
  maxConcurrent?: number;
}

export interface TargetRef {
  group?: string;
  kind: string;
  name: string;
}

export interface AuthorizationPolicySpec {
  targetRef: TargetRef;
  from: {
    serviceAccount?: string;
    namespace?: string;
    identity?: string;
    network?: string;
    unauthenticated?: boolean;
  }[];
}

export interface RateLimitSpec {
  targetRef: TargetRef;
  total?: { requestsPerSecond: number; burst?: number };
  identity?: { requestsPerSecond: number; burst?: number };
  overrides?: {
    requestsPerSecond: number;
    burst?: number;
    clientRefs: { name: string; namespace?: string }[];
  }[];
}

export interface ExternalWorkloadSpec {
  workloadIPs: { ip: string }[];
  ports?: { name?: string; port: number }[];
  serviceAccount?: string;
  /** Absent: the workload has no proxy, so traffic to it is plaintext. */
  meshed?: boolean;
}

export interface MultiClusterLinkSpec {
  clusterName: string;
  /** `ip:port` of the other cluster's gateway. */
  gatewayAddress: string;
  /** The name in the gateway's certificate. */
  gatewayIdentity: string;
  /** The Secret of the same namespace with server, ca.crt and token of the other API server. */
  credentialsSecret: string;
  /** Selects the services to mirror; default: those labelled as exported. */
  selector?: LabelSelector;
}

export interface ParentRef {
  group?: string;
  kind?: string;
  name: string;
  namespace?: string;
  port?: number;
  /** For a Service: the name of a port. */
  sectionName?: string;
}

export interface ReferenceGrantSpec {
  from: { group: string; kind: string; namespace: string }[];
  to: { group: string; kind: string; name?: string }[];
}

export interface BackendRef {
  group?: string;
  kind?: string;
  name: string;
  namespace?: string;
  port?: number;
  weight?: number;
  filters?: RouteFilter[];
}

interface HeaderFilter {
  set?: { name: string; value: string }[];
  add?: { name: string; value: string }[];
  remove?: string[];
}

export interface RouteFilter {
  type: string;
  requestHeaderModifier?: HeaderFilter;
  responseHeaderModifier?: HeaderFilter;
  requestMirror?: {
    backendRef: BackendRef;
    percent?: number;
    fraction?: { numerator: number; denominator?: number };
  };
  requestRedirect?: {
    scheme?: string;
    hostname?: string;
    port?: number;
    statusCode?: number;
    path?: { type: string; replaceFullPath?: string; replacePrefixMatch?: string };
  };
  cors?: {
    allowOrigins?: string[];
    allowCredentials?: boolean;
    allowMethods?: string[];
    allowHeaders?: string[];
    exposeHeaders?: string[];
    maxAge?: number;
  };
  urlRewrite?: {
    hostname?: string;
    path?: { type: string; replaceFullPath?: string; replacePrefixMatch?: string };
  };
}

interface ValueMatch {
  type?: string;
  name: string;
  value: string;
}

export interface HttpRouteSpec {
  parentRefs?: ParentRef[];
  hostnames?: string[];
  rules?: {
    name?: string;
    matches?: {
      path?: { type?: string; value?: string };
      method?: string;
      headers?: ValueMatch[];
      queryParams?: ValueMatch[];
    }[];
    filters?: RouteFilter[];
    backendRefs?: BackendRef[];
    timeouts?: { request?: string; backendRequest?: string };
    retry?: { codes?: number[]; attempts?: number; backoff?: string };
    sessionPersistence?: unknown;
  }[];
}

export interface GrpcRouteSpec {
  parentRefs?: ParentRef[];
  hostnames?: string[];
  rules?: {
    name?: string;
    matches?: {
      method?: { type?: string; service?: string; method?: string };
      headers?: ValueMatch[];
    }[];
    filters?: RouteFilter[];
    backendRefs?: BackendRef[];
    sessionPersistence?: unknown;
  }[];
}
