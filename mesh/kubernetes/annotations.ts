/** Every annotation and label that users write or that Firedrill reads or sets. */
import type { RequestLabelPolicy } from '../model.js';
import { requestLabelProblems } from '../proxy/config.js';
import { breakerFields } from '../schema/backend.js';
import { leavesOf } from '../schema/fields.js';
import { routeFields } from '../schema/route.js';
import { meshGroup } from './client/objects.js';
import { accessPolicies, type AccessPolicy } from '../schema/choices.js';

const name = (suffix: string): string => `${meshGroup}/${suffix}`;

/** The whole name of an annotation. */
export { name as annotationName };

export const annotations = {
  /** `enabled` or `disabled`, on a namespace or a pod; the pod's value wins. */
  inject: name('inject'),
  skipInboundPorts: name('skip-inbound-ports'),
  skipOutboundPorts: name('skip-outbound-ports'),
  /** Ports whose traffic the proxy does not parse: on a namespace, service or pod. */
  opaquePorts: name('opaque-ports'),
  proxyCpuRequest: name('proxy-cpu-request'),
  proxyCpuLimit: name('proxy-cpu-limit'),
  proxyMemoryRequest: name('proxy-memory-request'),
  proxyMemoryLimit: name('proxy-memory-limit'),
  proxyImage: name('proxy-image'),
  proxyLogLevel: name('access-log'),
  /** The share of traces that is kept, 0 to 1. */
  traceSampling: name('trace-sampling'),
  /** An extra label of request metrics, such as the tenant: `tenant=header:x-tenant:acme,globex`. */
  requestLabel: name('request-label'),
  defaultInboundPolicy: name('default-inbound-policy'),
  /** On a service: the number of consecutive failures that trips an endpoint's breaker. */
  breaker: name(breakerFields.consecutiveFailures.annotation),
  /** `true` or `false`; absent: a native sidecar if the cluster supports it. */
  nativeSidecar: name('native-sidecar'),
  /** `ordered` (default) or `together`: the proxy starts with the pod's other containers, a second or two sooner. */
  start: name('start'),
  /** The seconds to drain after SIGTERM. */
  drainSeconds: name('drain-seconds'),
  /** `transparent` (default) or `explicit`: without iptables; peers connect to the proxy's own port. */
  mode: name('mode'),
  /** The control plane that a namespace's proxies follow, for a canary upgrade: the name of its service. */
  revision: name('revision'),
  /** On a service of a queue, `in-message`: messages carry their trace context. */
  traceContext: name('trace-context'),
  /** Set by the injector. */
  status: name('status'),
  proxyVersion: name('proxy-version'),
  /** Set by the injector and read back through the downward API: the proxy's whole configuration, as JSON. */
  proxyConfig: name('proxy-config'),
  trustAnchors: name('trust-anchors'),
  /** Set by the injector: the probes that it redirected to the proxy, as JSON, so that they can be restored. */
  originalProbes: name('original-probes'),
  /** Set by the injector: the inbound ports that this pod's redirection excludes. */
  skippedInbound: name('skipped-inbound-ports'),
  /** Set by the injector where the node's redirector writes the redirection: the ports that are left out, as JSON. */
  redirection: name('redirection'),
  /** In explicit mode, the port to which peers connect. */
  inboundPort: name('inbound-port'),
} as const;

/** Further ones, on an HTTPRoute: mesh/schema/route.ts has them. */
export const routeAnnotations: readonly string[] = [...leavesOf(routeFields)].flatMap(
  ({ field: { annotation } }) => (annotation === undefined ? [] : [name(annotation)]),
);

export const labels = {
  /** On a namespace: the level that Pod Security admission enforces. */
  podSecurity: 'pod-security.kubernetes.io/enforce',
  /** On each object that firedrill install makes; a common label, which other tools may set too. */
  partOf: 'app.kubernetes.io/part-of',
  /**
   * On the same objects, with the control plane's namespace: upgrade and uninstall recognize their own objects by it.
   */
  installation: name('installation'),
  component: name('component'),
  /** On a namespace whose pods may reach the controller's admin port, such as Prometheus's. */
  scrape: name('scrape'),
  /** On a Service that linked clusters may see. */
  exported: name('exported'),
  mirroredFrom: name('mirrored-from'),
} as const;

/** The names of the proxy's container and of the container that sets up iptables. */
export const proxyContainer = 'firedrill-proxy';
export const initContainer = 'firedrill-init';

/** The proxy's ports, shared by the NetworkPolicy, the injector and the checks. */
export const ports = {
  inbound: 4143,
  outbound: 4140,
  admin: 4191,
  controllerGrpc: 8086,
  controllerAdmin: 9990,
  webhook: 8443,
} as const;

/** Ports of protocols in which the server speaks first, or which a proxy cannot parse: opaque by default. */
export const defaultOpaquePorts = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/** Returns `25,3306,8000-8010` as numbers; undefined if a part is neither a port nor a range. */
export function parsePorts(text: string): number[] | undefined {
  const found: number[] = [];
  for (const part of text.split(',').map((p) => p.trim())) {
    if (part === '') continue;
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (!match) return undefined;
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (from < 1 || to > 65535 || from > to) return undefined;
    for (let port = from; port <= to; port++) found.push(port);
  }
  return found;
}

export const isPolicy = (text: string): text is AccessPolicy =>
  (accessPolicies as readonly string[]).includes(text);

/**
 * Parses `tenant=header:x-tenant`, with `:acme,globex` if only these values get series of their own, or
 * `caller=identity:namespace`; returns undefined for any other text.
 */
export function parseRequestLabel(text: string): RequestLabelPolicy | undefined {
  const [, label = '', source, from = '', values] =
    /^([^=]+)=(header|identity):([^:]+)(?::(.+))?$/.exec(text.trim()) ?? [];
  if (source === undefined) return undefined;
  const policy = {
    name: label,
    [source]: from,
    ...(values && { values: values.split(',').map((value) => value.trim()) }),
  };
  return requestLabelProblems(policy).length === 0 ? (policy as RequestLabelPolicy) : undefined;
}

/** A revision is a part of its control plane's names. */
export const isRevision = (text: string): boolean =>
  /^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/.test(text);
