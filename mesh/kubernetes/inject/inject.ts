/** Puts the proxy into a pod, or says why not. The webhook and `firedrill inject` run this same code. */
import { identityName } from '../../identity/names.js';
import type { ProxyConfig } from '../../model.js';
import { proxyEnvironment, proxyNodeFlags } from '../../proxy/launch.js';
import {
  annotations,
  initContainer,
  parsePorts,
  parseRequestLabel,
  ports,
  proxyContainer,
} from '../annotations.js';
import { tokenAudience } from '../attestor.js';
import { controllerIdentityOf } from '../install/manifests.js';
import type { ObjectMeta } from '../client/objects.js';
import type { Container, PodSpec } from '../discovery/types.js';
import { isMeshed, workloadOf } from '../discovery/workload.js';
import { badAnnotation } from './annotation-check.js';
import { type Originals, restoreProbes, turnProbes } from './probes.js';
import { proxyUserId } from './redirection.js';
import { proxyResources } from './resources.js';

export interface InjectOptions {
  image: string;
  version: string;
  trustDomain: string;
  controlNamespace: string;
  /** Of the controller's service, `host:port`. */
  controllerAddress: string;
  /** PEM; absent offline, where the pod reads the bundle's ConfigMap of its own namespace. */
  trustAnchors?: string | undefined;
  /** A proxy that starts before the app and stops after it: an init container that restarts (Kubernetes 1.29). */
  nativeSidecar: boolean;
  resources: { cpuRequest: string; memoryRequest: string; memoryLimit: string; cpuLimit?: string };
  drainSeconds: number;
  otlpUrl?: string | undefined;
}

/** Why a pod was left as it was: the reason of the Event, and a sentence. */
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
  | 'NameTaken'
  | 'JobNeedsNativeSidecar';

export interface PodLike {
  metadata: Partial<ObjectMeta>;
  spec: PodSpec;
}

export interface Injected<P> {
  pod: P;
}

const configFolder = '/etc/firedrill/config';
const stateFolder = '/var/lib/firedrill';
const tokenFolder = '/var/run/secrets/firedrill';

/** `pod` is not changed. The namespace's annotations are defaults for the pod's. */
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
  const read = (key: string): string | undefined => own[key] ?? namespace.annotations?.[key];
  const reason = skipReason(pod, namespace, read(annotations.inject), own, options);
  if (reason) return reason;
  const problem = badAnnotation(read, { ...namespace.annotations, ...own });
  if (problem) return { skipped: 'BadAnnotation', message: problem };
  const native = read(annotations.nativeSidecar);
  const sidecar = native === undefined ? options.nativeSidecar : native === 'true';
  const kind = pod.metadata.ownerReferences?.[0]?.kind ?? '';
  if (!sidecar && ['Job', 'CronJob'].includes(kind)) {
    const message = 'a Job ends when its containers end, and only a native sidecar ends with them';
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
    // As it is in force, whatever becomes of the namespace's: peers are told by it which ports are plaintext.
    ...(skipInbound === undefined ? {} : { [annotations.skippedInbound]: skipInbound }),
    ...(options.trustAnchors ? { [annotations.trustAnchors]: options.trustAnchors } : {}),
    ...(explicit
      ? { [annotations.mode]: 'explicit', [annotations.inboundPort]: String(ports.inbound) }
      : {}),
  };
  const proxy = proxyContainerOf(read, options);
  const spec = made.spec;
  const inits = spec.initContainers ?? [];
  // First of all: what other init containers send must already go through the proxy where it runs beside them.
  const before = explicit ? [] : [initContainerOf(read, options)];
  if (sidecar) spec.initContainers = [...before, { ...proxy, restartPolicy: 'Always' }, ...inits];
  else {
    if (before.length > 0) spec.initContainers = [...inits, ...before];
    // Containers start in their order, each when the one before has started and its hook is done.
    spec.containers = [proxy, ...spec.containers];
  }
  spec.volumes = [...(spec.volumes ?? []), ...volumesOf(options)];
  return { pod: made };
}

/** Takes out what `injectPod` put in. */
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
  if (isMeshed(pod) || own[annotations.status] === 'injected') {
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
  const taken = (pod.spec.volumes ?? []).find((v) => v.name.startsWith('firedrill-'));
  if (taken)
    return { skipped: 'NameTaken', message: `a volume called ${taken.name} is there already` };
  return undefined;
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
      name: identityName({ ...own, serviceAccount: pod.spec.serviceAccountName ?? 'default' }),
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

/** A namespace or pod moved to another control plane, for a canary upgrade, follows that one's service. */
const revised = (address: string, revision: string | undefined): string =>
  revision ? address.replace(/^[^.]+/, (service) => `${service}-${revision}`) : address;

/**
 * Holds back the containers after it until the proxy is up. A startup probe would too, and later: its first try comes
 * when the kubelet has looked at its containers once more (each second), and another second after that.
 */
const awaitProxy = ['node', '/app/dist/mesh/proxy/await.js', String(ports.admin), '120'];

const probe = (path: string): unknown => ({ httpGet: { path, port: ports.admin } });

function proxyContainerOf(
  read: (key: string) => string | undefined,
  options: InjectOptions,
): Container {
  return {
    name: proxyContainer,
    image: read(annotations.proxyImage) ?? options.image,
    command: [
      'node',
      ...proxyNodeFlags,
      '/app/dist/mesh/proxy/main.js',
      '--config',
      `${configFolder}/proxy.json`,
    ],
    env: Object.entries(proxyEnvironment).map(([name, value]) => ({ name, value })),
    ports: [
      { name: 'fd-inbound', containerPort: ports.inbound },
      { name: 'fd-admin', containerPort: ports.admin },
    ],
    livenessProbe: { ...(probe('/live') as object), initialDelaySeconds: 10 },
    readinessProbe: { ...(probe('/ready') as object), periodSeconds: 5 },
    lifecycle: { postStart: { exec: { command: awaitProxy } } },
    resources: proxyResources(read, options.resources),
    securityContext: {
      runAsUser: proxyUserId,
      runAsGroup: proxyUserId,
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [
      { name: 'firedrill-config', mountPath: configFolder, readOnly: true },
      { name: 'firedrill-state', mountPath: stateFolder },
      { name: 'firedrill-token', mountPath: tokenFolder, readOnly: true },
    ],
  };
}

function initContainerOf(
  read: (key: string) => string | undefined,
  options: InjectOptions,
): Container {
  const skip = (key: string, always: readonly number[]): string =>
    [...new Set([...always, ...(parsePorts(read(key) ?? '') ?? [])])].join(',');
  return {
    name: initContainer,
    image: read(annotations.proxyImage) ?? options.image,
    command: [
      'node',
      '/app/dist/mesh/kubernetes/inject/init.js',
      '--inbound-port',
      String(ports.inbound),
      '--outbound-port',
      String(ports.outbound),
      '--proxy-uid',
      String(proxyUserId),
      '--skip-inbound-ports',
      skip(annotations.skipInboundPorts, [ports.admin]),
      ...(read(annotations.skipOutboundPorts)
        ? ['--skip-outbound-ports', skip(annotations.skipOutboundPorts, [])]
        : []),
    ],
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    securityContext: {
      // Writing iptables rules of the pod's own network namespace needs exactly these.
      runAsUser: 0,
      runAsNonRoot: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** The configuration reaches the proxy as annotations through the downward API: no ConfigMap a pod, and visible. */
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
