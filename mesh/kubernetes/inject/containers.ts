/** The containers that injection adds to a pod. */
import { proxyEnvironment, proxyNodeFlags } from '../../proxy/launch.js';
import { annotations, initContainer, parsePorts, ports, proxyContainer } from '../annotations.js';
import type { Container } from '../discovery/types.js';
import type { InjectOptions } from './inject.js';
import { proxyUserId } from './redirection.js';
import { initResources, proxyResources } from './resources.js';

/** Whether a container of the injector writes its pod's redirection. */
export const redirects = ({ name, command }: Container): boolean =>
  [initContainer, proxyContainer].includes(name) &&
  ((command as string[] | undefined) ?? []).includes(initProgram);

type Read = (key: string) => string | undefined;

export const configFolder = '/etc/firedrill/config';
export const stateFolder = '/var/lib/firedrill';
export const tokenFolder = '/var/run/secrets/firedrill';

const configFlags = ['--config', `${configFolder}/proxy.json`];
const initProgram = '/app/dist/mesh/kubernetes/inject/init.js';

/**
 * Delays the later containers until the proxy is up. A startup probe would take longer: its first attempt comes after
 * the kubelet's next sync of its containers (each second), and the result another second later. The kubelet shows no
 * log of the proxy until the hook ends; so the hook of a sidecar gives up soon, and the kubelet restarts the proxy, if
 * the proxy does not become ready.
 */
const awaitHook = (seconds: number, read: Read, { redirector }: InjectOptions): object => {
  const command = ['node', '/app/dist/mesh/proxy/await.js', String(ports.admin), String(seconds)];
  // Nobody redirects a pod in explicit mode.
  const isRedirected = redirector && read(annotations.mode) !== 'explicit';
  // The outbound side listens on loopback only, so that its port at the pod's address answers only if redirected.
  return { exec: { command: isRedirected ? [...command, String(ports.outbound)] : command } };
};
const sidecarWaitSeconds = 30;
/**
 * After a failed hook of an ordinary container the kubelet starts the other containers anyway, so this wait is longer.
 */
const containerWaitSeconds = 120;

/** Ends when no other container of the pod listens or is connected: the proxy is needed until then. */
const holdHook = { exec: { command: ['node', '/app/dist/mesh/kubernetes/inject/hold.js'] } };

const probe = (path: string): unknown => ({ httpGet: { path, port: ports.admin } });

export function proxyContainerOf(
  read: Read,
  options: InjectOptions,
  isSidecar: boolean,
): Container {
  return {
    name: proxyContainer,
    image: read(annotations.proxyImage) ?? options.image,
    command: ['node', ...proxyNodeFlags, '/app/dist/mesh/proxy/main.js', ...configFlags],
    env: Object.entries(proxyEnvironment).map(([name, value]) => ({ name, value })),
    ports: [
      { name: 'fd-inbound', containerPort: ports.inbound },
      { name: 'fd-admin', containerPort: ports.admin },
    ],
    // On a node without a free core an answer takes longer than the usual second, and a restart costs every connection.
    livenessProbe: { ...(probe('/live') as object), initialDelaySeconds: 10, timeoutSeconds: 5 },
    readinessProbe: { ...(probe('/ready') as object), periodSeconds: 5 },
    lifecycle: isSidecar
      ? { postStart: awaitHook(sidecarWaitSeconds, read, options) }
      : { postStart: awaitHook(containerWaitSeconds, read, options), preStop: holdHook },
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

/**
 * A proxy that writes the redirection itself, because an init container delays a pod's start by one sync of the
 * kubelet. The proxy begins as root with the necessary capabilities, and permanently gives up all of them before it
 * reads any external input.
 */
export function redirectingProxyOf(read: Read, options: InjectOptions): Container {
  const proxy = proxyContainerOf(read, options, false);
  return {
    ...proxy,
    command: ['node', ...proxyNodeFlags, initProgram, ...redirectionFlags(read), ...configFlags],
    securityContext: {
      ...(proxy.securityContext as object),
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW', 'SETGID', 'SETUID'] },
    },
  };
}

export function initContainerOf(read: Read, options: InjectOptions): Container {
  return {
    name: initContainer,
    image: read(annotations.proxyImage) ?? options.image,
    command: ['node', initProgram, ...redirectionFlags(read)],
    resources: initResources(read(annotations.proxyCpuLimit) ?? options.resources.cpuLimit),
    securityContext: {
      // Iptables rules in the pod's own network namespace need exactly these capabilities.
      runAsUser: 0,
      runAsNonRoot: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** The value of the annotation that the node's redirector reads. */
export const redirectionText = (read: Read): string => JSON.stringify(skippedPorts(read));

function skippedPorts(read: Read): { skipInbound: string; skipOutbound: string } {
  const skip = (key: string, always: readonly number[]): string =>
    [...new Set([...always, ...(parsePorts(read(key) ?? '') ?? [])])].join(',');
  return {
    skipInbound: skip(annotations.skipInboundPorts, [ports.admin]),
    skipOutbound: skip(annotations.skipOutboundPorts, []),
  };
}

function redirectionFlags(read: Read): string[] {
  const { skipInbound, skipOutbound } = skippedPorts(read);
  return [
    '--inbound-port',
    String(ports.inbound),
    '--outbound-port',
    String(ports.outbound),
    '--proxy-uid',
    String(proxyUserId),
    '--skip-inbound-ports',
    skipInbound,
    ...(skipOutbound === '' ? [] : ['--skip-outbound-ports', skipOutbound]),
  ];
}
