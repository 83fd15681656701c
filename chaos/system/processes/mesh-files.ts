/** The configurations of a system's sidecars and of its controller. */
import { formatDurationMs } from '../../../base/duration.js';
import { identityName } from '../../../mesh/identity/names.js';
import type { Backend, Destination, InboundServer, ProxyConfig } from '../../../mesh/model.js';
import { backendDefaults } from '../../../mesh/schema/backend.js';
import type { Protocol } from '../drill-schema.js';
import { frugal, type RegistrySettings, retriedTimeouts, retryOf } from './registry-fault.js';
import { registryPath } from './registry-file.js';
import {
  type CallLayout,
  hostOf,
  type Layout,
  upstreamsOf,
  type WorkloadLayout,
} from './layout.js';
import { loopback as host } from './network.js';

export const trustDomain = 'drill.local';

export const identityOf = (layout: Layout, service: string): string =>
  identityName({ serviceAccount: service, namespace: layout.name, trustDomain });

export const controllerIdentity = identityName({
  serviceAccount: 'controller',
  namespace: 'firedrill',
  trustDomain,
});

const spoken = (protocol: Protocol): 'http1' | 'http2' => (protocol === 'grpc' ? 'http2' : 'http1');
const failFastMs = 500;

/** `folder` contains keys, tokens and caches, if the mesh has any. */
export function proxyConfig(
  layout: Layout,
  workload: WorkloadLayout,
  files: {
    path(name: string): string;
    trustAnchors: string;
    /** Fills in the templates of a text of the drill. */
    fill(text: string): string;
    /** A file, as seen from the drill's folder. */
    inDrill(path: string): string;
  },
): ProxyConfig {
  const { sidecar } = workload;
  const { accessLog, traces } = workload.spec.sidecar ?? {};
  if (!sidecar) throw new Error(`${workload.name} has no sidecar`);
  const isMutual = layout.spec.mesh === 'mtls';
  const calls = workload.calls.filter((call) => call.protocol !== 'tcp');
  return {
    workload: {
      name: workload.name,
      namespace: layout.name,
      service: workload.service,
      labels: { app: workload.service },
    },
    ...(sidecar.inbound !== undefined && {
      inbound: { host, port: sidecar.inbound, mode: 'explicit' as const },
    }),
    outbound: { host, port: sidecar.outbound, mode: 'explicit' },
    calls: calls.map((call) => ({ host: call.host, port: call.port })),
    admin: { host, port: sidecar.admin },
    ...(isMutual
      ? {
          identity: {
            name: identityOf(layout, workload.service),
            trustAnchorsFile: files.trustAnchors,
          },
          controller: {
            addresses: [`${host}:${layout.controller?.grpc ?? 0}`],
            identity: controllerIdentity,
            tokenFile: files.path(`${workload.name}.token`),
            subscribe: [`*.${layout.name}`],
          },
          cacheFolder: files.path(`cache-${workload.name}`),
        }
      : {
          state: {
            version: 1,
            destinations: calls.map((call) => destination(layout, call)),
            servers: serversOf(workload),
            unknownDestinations: 'refuse' as const,
          },
        }),
    ...(traces && {
      tracing: { otlpUrl: files.fill(traces.url), sampleRatio: traces.sample },
    }),
    ...(accessLog !== undefined && {
      accessLog: accessLog === 'stdout' ? accessLog : files.inDrill(files.fill(accessLog)),
    }),
    drainSeconds: 1,
  };
}

function serversOf(workload: WorkloadLayout): InboundServer[] {
  const { sidecar, spec, ports } = workload;
  if (sidecar?.inbound === undefined) return [];
  return [
    {
      name: 'http',
      port: sidecar.inbound,
      target: `${hostOf(workload)}:${Object.values(ports)[0] as number}`,
      protocol: spoken(spec.protocol),
      defaultPolicy: 'all-unauthenticated',
      authorizations: [],
      routes: [],
    },
  ];
}

function destination(layout: Layout, call: CallLayout): Destination {
  return {
    name: `${call.destination}.${layout.name}`,
    service: call.destination,
    namespace: layout.name,
    hosts: [call.destination],
    addresses: [`${call.host}:${call.port}`],
    protocol: spoken(call.protocol),
    routes: [],
    backends: [backend(layout, call)],
  };
}

const backend = (layout: Layout, call: CallLayout): Backend => ({
  name: call.destination,
  endpoints: endpointsOf(layout, call),
  ...backendDefaults,
  failFastMs,
});

/** The callee's sidecar if it listens for this port; otherwise the callee itself. */
function endpointsOf(
  layout: Layout,
  call: CallLayout,
): { address: string; labels?: Record<string, string> }[] {
  const inbound = inboundsOf(layout, call);
  return inbound ?? upstreamsOf(layout, call).map((address) => ({ address }));
}

function inboundsOf(
  layout: Layout,
  call: CallLayout,
): { address: string; labels: Record<string, string> }[] | undefined {
  if (call.calleePort === undefined || call.destination !== call.to) return undefined;
  const found = layout.workloads.flatMap(({ name, service, sidecar }) =>
    service === call.to && sidecar?.inbound !== undefined
      ? [{ address: `${host}:${sidecar.inbound}`, labels: { pod: name } }]
      : [],
  );
  // Without a mesh, only the load connects to the entry's sidecar.
  return found.length > 0 && layout.spec.mesh !== 'relays' ? found : undefined;
}

/** The controller's input, in the format of the registry file of mesh/controller/README.md. */
export function registry(layout: Layout, revision: number, set: RegistrySettings = {}): object {
  const namespace = layout.name;
  const calls = layout.workloads.flatMap((w) => w.calls.filter((c) => c.protocol !== 'tcp'));
  const called = new Map(calls.map((call) => [call.destination, call]));
  return {
    defaults: { policy: 'all-unauthenticated', unknownDestinations: 'refuse' },
    services: [...called.values()].map((call) => {
      const { to: source } = called.get(set.misrouted?.[call.to] ?? '') ?? call;
      const target = called.get(source) ?? call;
      const inbound = inboundsOf(layout, target);
      return {
        name: call.destination,
        namespace,
        serviceAccount: source,
        hosts: [call.destination],
        addresses: calls
          .filter((c) => c.destination === call.destination)
          .map((c) => `${c.host}:${c.port}`),
        protocol: spoken(call.protocol),
        endpoints:
          inbound ?? upstreamsOf(layout, target).map((address) => ({ address, plaintext: true })),
        failFast: formatDurationMs(failFastMs),
        routes: routesOf(call.to, revision, set),
      };
    }),
    servers: layout.workloads.flatMap((workload) =>
      serversOf(workload).map(({ name, port, target, protocol }) => ({
        workload: workload.name,
        namespace,
        name,
        port,
        target,
        protocol,
        policy: policyOf(layout, workload.service, set),
      })),
    ),
  };
}

/** A locked-out service refuses all callers: its policy authorizes none. */
const policyOf = (layout: Layout, service: string, { lockedOut }: RegistrySettings): string =>
  lockedOut?.[service] === true
    ? 'deny'
    : service === layout.entry
      ? 'all-unauthenticated'
      : 'all-authenticated';

function routesOf(service: string, revision: number, set: RegistrySettings): object[] {
  const { retriesOf = service, retries = 'none', unsafeMethods = false } = set;
  const retry = retriesOf === service ? retryOf(retries, unsafeMethods, frugal(set)) : undefined;
  return [
    ...Array.from({ length: set.routePerUser?.[service] ?? 0 }, (_, user) => ({
      name: `user-${user}`,
      match: [{ path: { prefix: `/user-${user}/` } }],
    })),
    {
      name: revision === 0 ? 'all' : `all-r${revision}`,
      ...(set.wrongProfile?.[service] === true && { match: [{ path: { prefix: '/not-there/' } }] }),
      ...(retry && { timeouts: retriedTimeouts, retry }),
    },
  ];
}

export const controllerConfig = (layout: Layout, certificateLifetimeMs: number): object => ({
  trustDomain,
  listen: { host, port: layout.controller?.grpc },
  admin: { host, port: layout.controller?.admin },
  identity: {
    issuer: { kind: 'files', folder: 'pki' },
    certificateLifetime: formatDurationMs(Math.round(certificateLifetimeMs)),
    clockSkew: '2s',
    joinTokens: { folder: 'tokens' },
  },
  discovery: [{ kind: 'file', path: registryPath }],
  events: { file: 'events.jsonl' },
});
