/**
 * Redirects a meshed app's probes to its proxy's admin port, which probes the app for the kubelet. The kubelet has no
 * identity that a policy could name, and a port that leads to the proxy accepts connections regardless of the app.
 */
import type { AppProbe } from '../../model.js';
import { ports, proxyContainer } from '../annotations.js';
import type { Container, PodSpec } from '../discovery/types.js';

interface Handler {
  httpGet?: {
    path?: string;
    port: number | string;
    host?: string;
    scheme?: string;
    httpHeaders?: { name: string; value: string }[];
  };
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string | null };
  timeoutSeconds?: number;
  [field: string]: unknown;
}

/** The original handlers, by `container/kind`: enough to restore them. */
export type Originals = Record<string, Pick<Handler, 'httpGet' | 'tcpSocket' | 'grpc'>>;

export interface Turned {
  probes: Record<string, AppProbe>;
  originals: Originals;
}

const probeFields = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const hooks = ['postStart', 'preStop'] as const;
/** A hook may take as long as the pod's end; this is the longest wait for one. */
const hookTimeoutMs = 30_000;

/** Changes `spec`. */
export function turnProbes(spec: PodSpec): Turned {
  const turned: Turned = { probes: {}, originals: {} };
  eachHandler(spec, (container, kind, handler, isHook) => {
    const timeoutMs = isHook ? hookTimeoutMs : (handler.timeoutSeconds ?? 1) * 1000;
    const probe = probeOf(handler, container, timeoutMs);
    if (!probe) return;
    const key = `${container.name}/${kind}`;
    turned.probes[key] = probe;
    const { httpGet, tcpSocket, grpc } = handler;
    turned.originals[key] = {
      ...(httpGet && { httpGet }),
      ...(tcpSocket && { tcpSocket }),
      ...(grpc && { grpc }),
    };
    delete handler.tcpSocket;
    delete handler.grpc;
    handler.httpGet = { path: `/probes/${key}`, port: ports.admin };
  });
  return turned;
}

/** Undoes `turnProbes`. */
export function restoreProbes(spec: PodSpec, originals: Originals): void {
  eachHandler(spec, (container, kind, handler) => {
    const original = originals[`${container.name}/${kind}`];
    if (!original) return;
    delete handler.httpGet;
    Object.assign(handler, original);
  });
}

function eachHandler(
  spec: PodSpec,
  visit: (container: Container, kind: string, handler: Handler, isHook: boolean) => void,
): void {
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    if (container.name === proxyContainer) continue;
    for (const field of probeFields) {
      const handler = container[field] as Handler | undefined;
      if (handler) visit(container, field, handler, false);
    }
    const lifecycle = container.lifecycle as Record<string, Handler | undefined> | undefined;
    for (const hook of hooks) {
      const handler = lifecycle?.[hook];
      if (handler) visit(container, hook, handler, true);
    }
  }
}

function probeOf(
  { httpGet, tcpSocket, grpc }: Handler,
  container: Container,
  timeoutMs: number,
): AppProbe | undefined {
  const at = httpGet ?? tcpSocket ?? grpc;
  // A probe of another host than the pod is not redirected.
  if (!at || httpGet?.host || tcpSocket?.host) return undefined;
  const port = portNumber(at.port, container);
  if (port === undefined) return undefined;
  if (grpc) return { kind: 'grpc', port, timeoutMs, service: grpc.service ?? '' };
  if (tcpSocket) return { kind: 'tcp', port, timeoutMs };
  const path = httpGet?.path ?? '/';
  return {
    kind: 'http',
    port,
    timeoutMs,
    path: path.startsWith('/') ? path : `/${path}`,
    ...(httpGet?.scheme === 'HTTPS' ? { tls: true } : {}),
    ...(httpGet?.httpHeaders?.length
      ? {
          headers: httpGet.httpHeaders.map((h): [string, string] => [
            String(h.name).toLowerCase(),
            String(h.value ?? ''),
          ]),
        }
      : {}),
  };
}

function portNumber(port: number | string, container: Container): number | undefined {
  if (typeof port === 'number') return port;
  if (/^\d+$/.test(port)) return Number(port);
  return container.ports?.find((p) => p.name === port)?.containerPort;
}
