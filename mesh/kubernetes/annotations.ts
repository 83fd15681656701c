/** Every annotation and label that users write and we read or set, in one place. */
import type { InboundServer, RequestLabelPolicy } from '../model.js';
import { requestLabelProblems } from '../proxy/config.js';
import { meshGroup } from './client/objects.js';

const name = (suffix: string): string => `${meshGroup}/${suffix}`;

export const annotations = {
  /** `enabled` or `disabled`, on a namespace or a pod; the pod's wins. */
  inject: name('inject'),
  skipInboundPorts: name('skip-inbound-ports'),
  skipOutboundPorts: name('skip-outbound-ports'),
  /** Ports whose bytes are not looked at: on a namespace, service or pod. */
  opaquePorts: name('opaque-ports'),
  proxyCpuRequest: name('proxy-cpu-request'),
  proxyCpuLimit: name('proxy-cpu-limit'),
  proxyMemoryRequest: name('proxy-memory-request'),
  proxyMemoryLimit: name('proxy-memory-limit'),
  proxyImage: name('proxy-image'),
  proxyLogLevel: name('access-log'),
  /** Share of traces kept, 0 to 1. */
  traceSampling: name('trace-sampling'),
  /** One more label on requests, such as the tenant: `tenant=header:x-tenant:acme,globex`. */
  requestLabel: name('request-label'),
  defaultInboundPolicy: name('default-inbound-policy'),
  /** On a service: trips an endpoint's breaker after so many failures in a row. */
  breaker: name('breaker-consecutive-failures'),
  /** `true` or `false`; absent: where the cluster has native sidecars. */
  nativeSidecar: name('native-sidecar'),
  /** `ordered` (default) or `together`: with the pod's other containers, a second or two sooner. */
  start: name('start'),
  /** Seconds to drain on SIGTERM. */
  drainSeconds: name('drain-seconds'),
  /** `transparent` (default) or `explicit`: no iptables, peers are sent to the proxy's own port. */
  mode: name('mode'),
  /** Control plane that a namespace's proxies follow, for a canary upgrade: the name of its service. */
  revision: name('revision'),
  /** Set by the injector. */
  status: name('status'),
  proxyVersion: name('proxy-version'),
  /** Set by the injector and read back through the downward API: the proxy's whole configuration, JSON. */
  proxyConfig: name('proxy-config'),
  trustAnchors: name('trust-anchors'),
  /** Set by the injector: the probes that it turned to the proxy, JSON, for whoever takes it out again. */
  originalProbes: name('original-probes'),
  /** Set by the injector: the inbound ports that the redirection of this pod leaves alone. */
  skippedInbound: name('skipped-inbound-ports'),
  /** In explicit mode, the port peers connect to. */
  inboundPort: name('inbound-port'),
} as const;

export const labels = {
  /** On what firedrill install makes; a common label, which anybody may use. */
  partOf: 'app.kubernetes.io/part-of',
  /** On the same, with the control plane's namespace: whose it is, by which upgrade and uninstall know their own. */
  installation: name('installation'),
  component: name('component'),
  /** On a namespace whose pods may reach the controller's admin port: where Prometheus runs. */
  scrape: name('scrape'),
  /** On a Service that linked clusters may see. */
  exported: name('exported'),
  mirroredFrom: name('mirrored-from'),
} as const;

/** Name of the proxy's container and of the one that sets up iptables. */
export const proxyContainer = 'firedrill-proxy';
export const initContainer = 'firedrill-init';

/** The proxy's ports; the NetworkPolicy, the injector and the checks agree through this. */
export const ports = {
  inbound: 4143,
  outbound: 4140,
  admin: 4191,
  controllerGrpc: 8086,
  controllerAdmin: 9990,
  webhook: 8443,
} as const;

/** Ports that speak before the client does, or that a proxy cannot read anyway: opaque unless said otherwise. */
export const defaultOpaquePorts = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211];

/** `25,3306,8000-8010` as numbers; undefined where a part is neither a port nor a range. */
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

export const policies: readonly InboundServer['defaultPolicy'][] = [
  'all-unauthenticated',
  'all-authenticated',
  'cluster-authenticated',
  'audit',
  'deny',
];

export const isPolicy = (text: string): text is InboundServer['defaultPolicy'] =>
  (policies as readonly string[]).includes(text);

/**
 * `tenant=header:x-tenant`, with `:acme,globex` where only these have series of their own, or
 * `caller=identity:namespace`; undefined where it is neither.
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
