/**
 * Adds the proxy to a pod, or returns the reason for not doing so. The webhook and `firedrill inject` share this code.
 */
import { identityName } from '../../identity/names.js';
import type { ProxyConfig } from '../../model.js';
import {
  annotations,
  initContainer,
  parsePorts,
  parseRequestLabel,
  ports,
  proxyContainer,
} from '../annotations.js';
import { tokenAudience } from '../attestor.js';
import { controllerIdentityOf } from '../install/names.js';
import type { ObjectMeta } from '../client/objects.js';
import type { Container, PodSpec } from '../discovery/types.js';
import { isMeshed, workloadOf } from '../discovery/workload.js';
import { badAnnotation } from './annotation-check.js';
import {
  configFolder,
  initContainerOf,
  proxyContainerOf,
  redirectingProxyOf,
  redirectionText,
  stateFolder,
  tokenFolder,
} from './containers.js';
import { type Originals, restoreProbes, turnProbes } from './probes.js';
import { proxyUserId } from './redirection.js';

export interface InjectOptions {
  image: string;
  version: string;
  trustDomain: string;
  controlNamespace: string;
  /** Address of the controller's service, `host:port`. */
  controllerAddress: string;
  /** PEM; absent offline: the pod then reads the bundle's ConfigMap of its own namespace. */
  trustAnchors?: string | undefined;
  /** The proxy starts before the app and stops after it: an init container that restarts (Kubernetes 1.29). */
  nativeSidecar: boolean;
  resources: { cpuRequest: string; memoryRequest: string; memoryLimit: string; cpuLimit?: string };
  drainSeconds: number;
  otlpUrl?: string | undefined;
  /** Every node has a redirector: pods need no init container and no capability. */
  redirector: boolean;
}

/** The reason for an unchanged pod: the Event's reason, and a sentence. */
export interface Skipped {
  skipped: SkipReason;
  message: string;
}

export type SkipReason =
  | 'NotEnabled'
  | 'Disabled'
  | 'HostNetwork'
  | 'AlreadyInjected'
  | 'ControlPlane'
  | 'BadAnnotation'
  | 'AnnotationsTooLong'
  | 'NameTaken'
  | 'PortTaken'
  | 'OtherMesh'
  | 'UserTaken'
  | 'Windows'
  | 'JobNeedsNativeSidecar';

export interface PodLike {
  metadata: Partial<ObjectMeta>;
  spec: PodSpec;
}

export interface Injected<P> {
  pod: P;
}

/** Does not change `pod`. The namespace's annotations are defaults for the pod's. */
export function injectPod<P extends PodLike>(
  pod: P,
  namespace: {
    name: string;
    annotations?: Record<string, string> | undefined;
    labels?: Record<string, string> | undefined;
  },
  options: InjectOptions,
): Injected<P> | Skipped {
  const own = pod.metadata.annotations ?? {};
  // Annotations copied from an injected pod bring no proxy along; the probes may be copies, too.
  if (own[annotations.status] === 'injected' && !isMeshed(pod)) {
    return injectPod(uninjectPod(pod), namespace, options);
  }
  const read = (key: string): string | undefined => own[key] ?? namespace.annotations?.[key];
  const reason = skipReason(pod, namespace, read(annotations.inject), own, options);
  if (reason) return reason;
  const problem = badAnnotation(read, { ...namespace.annotations, ...own });
  if (problem) return { skipped: 'BadAnnotation', message: problem };
  const start = startOf(pod, read, options);
  if (start !== 'native' && isOfJob(pod)) {
    const [{ kind } = { kind: 'Job' }] = pod.metadata.ownerReferences ?? [];
    const message = `a ${kind} ends when its containers end, and only a native sidecar ends with them`;
    return { skipped: 'JobNeedsNativeSidecar', message };
  }

  const made = structuredClone(pod);
  const explicit = read(annotations.mode) === 'explicit';
  const { probes, originals } = turnProbes(made.spec);
  const config: ProxyConfig = {
    ...proxyConfig(pod, namespace.name, read, explicit, options),
    ...(Object.keys(probes).length > 0 ? { probes } : {}),
  };
  const skipInbound = read(annotations.skipInboundPorts);
  made.metadata.annotations = {
    ...own,
    [annotations.status]: 'injected',
    [annotations.proxyVersion]: options.version,
    [annotations.proxyConfig]: JSON.stringify(config),
    ...(Object.keys(probes).length > 0
      ? { [annotations.originalProbes]: JSON.stringify(originals) }
      : {}),
    // The effective value, independent of later changes in the namespace: it tells peers the plaintext ports.
    ...(skipInbound === undefined ? {} : { [annotations.skippedInbound]: skipInbound }),
    ...(options.trustAnchors ? { [annotations.trustAnchors]: options.trustAnchors } : {}),
    ...(explicit || !options.redirector
      ? {}
      : { [annotations.redirection]: redirectionText(read) }),
    ...(explicit
      ? { [annotations.mode]: 'explicit', [annotations.inboundPort]: String(ports.inbound) }
      : {}),
  };
  const bytes = bytesOfAll(made.metadata.annotations);
  if (bytes > mostAnnotationBytes) {
    const message = `annotations would have ${bytes} bytes, and Kubernetes takes ${mostAnnotationBytes}`;
    return { skipped: 'AnnotationsTooLong', message };
  }
  addContainers(made.spec, start, explicit, read, options);
  const { spec } = made;
  spec.volumes = [...(spec.volumes ?? []), ...volumesOf(options)];
  return { pod: made };
}

/** The API server's own limit for all annotations of an object: beyond it, it would refuse the pod. */
const mostAnnotationBytes = 256 * 1024;
const bytesOfAll = (all: Record<string, string>): number =>
  Object.entries(all).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);

function addContainers(
  spec: PodSpec,
  start: Start,
  explicit: boolean,
  read: (key: string) => string | undefined,
  options: InjectOptions,
): void {
  const inits = spec.initContainers ?? [];
  // The redirection comes first: other init containers' traffic must already pass the proxy if it runs beside them.
  const isOutside = explicit || options.redirector;
  const before = isOutside || start === 'together' ? [] : [initContainerOf(read, options)];
  if (start === 'native') {
    const proxy = proxyContainerOf(read, options, true);
    spec.initContainers = [...before, { ...proxy, restartPolicy: 'Always' }, ...inits];
    return;
  }
  if (before.length > 0) spec.initContainers = [...inits, ...before];
  const proxy =
    start === 'together' && !isOutside
      ? redirectingProxyOf(read, options)
      : proxyContainerOf(read, options, false);
  // Containers start in order, each when the previous one has started and its hook is done. They end together, except
  // for the proxy, whose hook waits for the others.
  spec.containers = [proxy, ...spec.containers];
}

/** The way in which a proxy is started; see README.md, "How a pod starts". */
type Start = 'native' | 'container' | 'together';

/** A Job's pod, a workflow's step and the like: its owner waits for its end. */
const isOfJob = ({ metadata, spec: { restartPolicy = 'Always' } }: PodLike): boolean => {
  const [owner] = metadata.ownerReferences ?? [];
  return ['Job', 'CronJob'].includes(owner?.kind ?? '') || (!!owner && restartPolicy !== 'Always');
};

function startOf(
  pod: PodLike,
  read: (key: string) => string | undefined,
  options: InjectOptions,
): Start {
  const native = read(annotations.nativeSidecar);
  const asSidecar = native === undefined ? options.nativeSidecar : native === 'true';
  if (read(annotations.start) !== 'together') return asSidecar ? 'native' : 'container';
  const { containers, initContainers = [], restartPolicy = 'Always', securityContext } = pod.spec;
  const userOf = (context: unknown): unknown => (context as { runAsUser?: unknown })?.runAsUser;
  const isRoot = (c: Container): boolean =>
    (userOf(c.securityContext) ?? userOf(securityContext)) === 0;
  // Init containers and Jobs need a sidecar. If all users are root, the kubelet gives the token only to root, and this
  // proxy is root only until it has written its rules.
  const fits =
    initContainers.length === 0 &&
    restartPolicy === 'Always' &&
    !isOfJob(pod) &&
    (options.redirector || !containers.every(isRoot));
  return fits ? 'together' : asSidecar ? 'native' : 'container';
}

/** Removes the parts that `injectPod` added. */
export function uninjectPod<P extends PodLike>(pod: P): P {
  const made = structuredClone(pod);
  const ours = new Set<string>([proxyContainer, initContainer]);
  const volumes = new Set(['firedrill-config', 'firedrill-state', 'firedrill-token']);
  made.spec.containers = made.spec.containers.filter((c) => !ours.has(c.name));
  const inits = (made.spec.initContainers ?? []).filter((c) => !ours.has(c.name));
  if (inits.length > 0) made.spec.initContainers = inits;
  else delete made.spec.initContainers;
  const kept = (made.spec.volumes ?? []).filter((v) => !volumes.has(v.name));
  if (kept.length > 0) made.spec.volumes = kept;
  else delete made.spec.volumes;
  const originals = made.metadata.annotations?.[annotations.originalProbes];
  if (originals) restoreProbes(made.spec, JSON.parse(originals) as Originals);
  for (const key of [
    annotations.originalProbes,
    annotations.skippedInbound,
    annotations.status,
    annotations.proxyVersion,
    annotations.proxyConfig,
    annotations.trustAnchors,
    annotations.inboundPort,
    annotations.redirection,
  ]) {
    delete made.metadata.annotations?.[key];
  }
  if (made.metadata.annotations && Object.keys(made.metadata.annotations).length === 0) {
    delete made.metadata.annotations;
  }
  return made;
}

function skipReason(
  pod: PodLike,
  namespace: { name: string },
  wanted: string | undefined,
  own: Record<string, string>,
  options: InjectOptions,
): Skipped | undefined {
  if (isMeshed(pod)) {
    return {
      skipped: 'AlreadyInjected',
      message: `the pod has a container ${proxyContainer} already`,
    };
  }
  if (namespace.name === options.controlNamespace) {
    return { skipped: 'ControlPlane', message: 'the control plane itself is never injected' };
  }
  if (wanted === undefined) {
    const message = `neither the pod nor namespace ${namespace.name} is annotated ${annotations.inject}: enabled`;
    return { skipped: 'NotEnabled', message };
  }
  if (wanted === 'disabled') {
    const where =
      own[annotations.inject] === 'disabled' ? 'the pod' : `namespace ${namespace.name}`;
    return {
      skipped: 'Disabled',
      message: `${where} is annotated ${annotations.inject}: disabled`,
    };
  }
  if (wanted !== 'enabled') {
    const message = `${annotations.inject}: '${wanted}' is neither enabled nor disabled`;
    return { skipped: 'BadAnnotation', message };
  }
  if (pod.spec.hostNetwork) {
    const message = 'hostNetwork: the redirection would take the traffic of the whole node';
    return { skipped: 'HostNetwork', message };
  }
  return foreignReason(pod.spec);
}

/** The init containers and proxies of other meshes: two redirections of one pod lose its traffic. */
const otherMeshes = /^(istio|linkerd|kuma|osm|consul)-(proxy|init|validation|sidecar|dataplane)$/;

interface RunsAs {
  runAsUser?: number;
}

/** A reason that lies in the pod's own parts. */
function foreignReason({
  containers,
  initContainers,
  volumes,
  ...spec
}: PodSpec): Skipped | undefined {
  const { os, nodeSelector, securityContext } = spec as {
    os?: { name?: string };
    nodeSelector?: Record<string, string>;
    securityContext?: RunsAs;
  };
  if (os?.name === 'windows' || nodeSelector?.['kubernetes.io/os'] === 'windows') {
    return {
      skipped: 'Windows',
      message: 'a pod of Windows: the proxy and its redirection are of Linux',
    };
  }
  const all = [...containers, ...(initContainers ?? [])];
  const mesh = all.find((c) => otherMeshes.test(c.name));
  if (mesh) {
    const message = `the container ${mesh.name} of another mesh is there already`;
    return { skipped: 'OtherMesh', message };
  }
  const contexts = [securityContext, ...all.map((c) => c.securityContext as RunsAs | undefined)];
  if (contexts.some((context) => context?.runAsUser === proxyUserId)) {
    const message = `runAsUser ${proxyUserId} is the proxy's: the app's traffic would go round the proxy`;
    return { skipped: 'UserTaken', message };
  }
  const own: readonly number[] = [ports.inbound, ports.outbound, ports.admin];
  for (const { name, ports: declared } of all) {
    const port = declared?.find((p) => own.includes(p.containerPort) && p.protocol !== 'UDP');
    if (!port) continue;
    const message = `container ${name} listens on ${port.containerPort}, which the proxy needs`;
    return { skipped: 'PortTaken', message };
  }
  const taken = (volumes ?? []).find((v) => v.name.startsWith('firedrill-'));
  return taken
    ? { skipped: 'NameTaken', message: `a volume called ${taken.name} is there already` }
    : undefined;
}

function proxyConfig(
  pod: PodLike,
  namespace: string,
  read: (key: string) => string | undefined,
  explicit: boolean,
  options: InjectOptions,
): ProxyConfig {
  const mode = explicit ? 'explicit' : 'transparent';
  const { name } = workloadOf({ metadata: { name: '', ...pod.metadata } });
  const own = { trustDomain: options.trustDomain, namespace };
  const sample = read(annotations.traceSampling);
  const requestLabel = parseRequestLabel(read(annotations.requestLabel) ?? '');
  return {
    workload: { name, namespace, ...(pod.metadata.labels ? { labels: pod.metadata.labels } : {}) },
    inbound: { host: '0.0.0.0', port: ports.inbound, mode },
    outbound: { host: '127.0.0.1', port: ports.outbound, mode },
    admin: { host: '0.0.0.0', port: ports.admin },
    identity: {
      name: identityName({ ...own, serviceAccount: accountOf(pod.spec) }),
      trustAnchorsFile: `${configFolder}/trust-anchors.crt`,
    },
    controller: {
      addresses: [revised(options.controllerAddress, read(annotations.revision))],
      identity: controllerIdentityOf(options.controlNamespace, options.trustDomain),
      tokenFile: `${tokenFolder}/token`,
    },
    cacheFolder: `${stateFolder}/cache`,
    skipPorts: {
      inbound: parsePorts(read(annotations.skipInboundPorts) ?? '') ?? [],
      outbound: parsePorts(read(annotations.skipOutboundPorts) ?? '') ?? [],
    },
    drainSeconds: Number(read(annotations.drainSeconds) ?? options.drainSeconds),
    accessLog: read(annotations.proxyLogLevel) ?? 'off',
    ...(requestLabel && { requestLabel }),
    ...(options.otlpUrl
      ? {
          tracing: { otlpUrl: options.otlpUrl, sampleRatio: Number(sample ?? 0.01), service: name },
        }
      : {}),
  };
}

/** `serviceAccount` is the field's old name, which the API server still takes. */
const accountOf = ({ serviceAccountName, serviceAccount }: PodSpec): string =>
  serviceAccountName || (serviceAccount as string | undefined) || 'default';

/** A namespace or pod that a canary upgrade moved to another control plane uses that control plane's service. */
const revised = (address: string, revision: string | undefined): string =>
  revision ? address.replace(/^[^.]+/, (service) => `${service}-${revision}`) : address;

/**
 * The proxy gets its configuration as annotations through the downward API: visible, and without a ConfigMap for each
 * pod.
 */
function volumesOf(options: InjectOptions): NonNullable<PodSpec['volumes']> {
  const item = (path: string, key: string): unknown => ({
    path,
    fieldRef: { fieldPath: `metadata.annotations['${key}']` },
  });
  const config = { items: [item('proxy.json', annotations.proxyConfig)] };
  const sources: unknown[] = [{ downwardAPI: config }];
  if (options.trustAnchors) config.items.push(item('trust-anchors.crt', annotations.trustAnchors));
  else {
    const items = [{ key: 'ca.crt', path: 'trust-anchors.crt' }];
    sources.push({ configMap: { name: 'firedrill-trust-anchors', items } });
  }
  return [
    { name: 'firedrill-config', projected: { sources } },
    { name: 'firedrill-state', emptyDir: { sizeLimit: '64Mi' } },
    {
      name: 'firedrill-token',
      projected: {
        sources: [
          {
            serviceAccountToken: {
              path: 'token',
              audience: tokenAudience,
              expirationSeconds: 3600,
            },
          },
        ],
      },
    },
  ];
}
