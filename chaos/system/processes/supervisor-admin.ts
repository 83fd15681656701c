/** The supervisor's admin port, on loopback: the system's description, its events, and faults of processes. */
import type { Target } from '../../../alerts/watch/index.js';
import {
  adminServer,
  jsonBody,
  listenForAdmin,
  removedFault,
  sendJson,
  sendRemoved,
} from '../../../mesh/admin-http.js';
import { meshJobs } from '../../../slo/spec/mesh-metrics.js';
import type { SystemDescription } from '../model.js';
import { entryUrl, firstPort, hostOf, type Layout, type WorkloadLayout } from './layout.js';
import { identityOf, trustDomain } from './mesh-files.js';
import { loopback } from './network.js';
import { processFaults, type ProcessFaults } from './process-faults.js';
import type { Supervisor } from './supervisor.js';

const relayJob = 'firedrill-relay';

/** Resolves to the port. */
export function startSupervisorAdmin(
  supervisor: Supervisor,
  faults: ProcessFaults,
): Promise<number> {
  const { processes } = supervisor;
  const calls: Record<string, (body: () => Promise<unknown>) => unknown> = {
    'GET /system': () => describe(supervisor),
    'GET /events': () => processes.events,
    'GET /certificate-events': () => supervisor.certificateEvents(),
    'GET /sections': () => [],
    'GET /faults': () => faults.list(),
    'POST /faults': async (body) => faults.put(await body()),
    'POST /revision': () => ({ revision: supervisor.publish() }),
    'POST /renew-certificates': async () => {
      await supervisor.renewCertificates();
      return {};
    },
  };
  const server = adminServer(async (call, request, response) => {
    const known = calls[call];
    if (known) return sendJson(response, 200, await known(() => jsonBody(request)));
    const id = removedFault(call);
    if (id !== undefined) return sendRemoved(response, await faults.leases.remove(id));
    const name = decodeURIComponent(/^POST \/restart\/(.+)$/.exec(call)?.[1] ?? '');
    if (!processes.names.includes(name)) {
      return sendJson(response, 404, { error: `no ${call}` });
    }
    await processes.stop(name);
    await processes.startAgain(name);
    return sendJson(response, 200, { pid: processes.pidOf(name) });
  });
  return listenForAdmin(server, { host: '127.0.0.1', port: 0 });
}

function describe(supervisor: Supervisor): SystemDescription {
  const { layout, processes, options } = supervisor;
  const { controller } = layout;
  return {
    name: layout.name,
    kind: 'processes',
    folder: options.folder,
    ready: supervisor.ready,
    ...(supervisor.failure !== undefined && { failure: supervisor.failure }),
    namespace: layout.name,
    url: entryUrl(layout),
    ...(controller && {
      trustDomain,
      certificateLifetimeMs: options.certificateLifetimeMs,
      controller: { process: 'controller', ...controller },
    }),
    workloads: layout.workloads.map((workload) => workloadOf(layout, workload)),
    dependencies: Object.keys(layout.spec.dependencies),
    relays: layout.relays.map(({ name, from, to, admin, process }) => {
      return { name, from, to, process, url: `http://127.0.0.1:${admin}` };
    }),
    processes: kindsOf(layout).map(({ name, kind }) => ({
      name,
      kind,
      pid: processes.pidOf(name) ?? 0,
      ports: layout.workloads.find((w) => w.name === name)?.ports ?? {},
    })),
    targets: targetsOf(layout),
    faults: [...processFaults(), ...(controller ? ['registry'] : [])],
    leaking: kindsOf(layout).flatMap(({ name, kind }) => (kind === 'service' ? [] : [name])),
    disks: [...supervisor.disks.keys()],
    resolvers: [...supervisor.resolvers.keys()],
  };
}

/** All processes of the layout, whether they run yet or not. */
const kindsOf = ({ controller, workloads, relays }: Layout): { name: string; kind: string }[] => [
  ...(controller ? [{ name: 'controller', kind: 'controller' }] : []),
  ...workloads.flatMap(({ name, sidecar }) => [
    { name, kind: 'service' },
    ...(sidecar ? [{ name: sidecar.name, kind: 'proxy' }] : []),
  ]),
  ...relays.map((relay) => ({ name: relay.process, kind: 'relay' })),
];

const workloadOf = (
  layout: Layout,
  { name, service, sidecar, spec, ports, calls }: WorkloadLayout,
): SystemDescription['workloads'][number] => ({
  name,
  service,
  ...(layout.controller && sidecar && { identity: identityOf(layout, service) }),
  calls: calls.map((call) => call.to),
  edges: calls
    .filter((call) => call.protocol !== 'tcp')
    .map((call) => ({
      name: `${service}/${call.name}`,
      to: call.to,
      destination: `${call.destination}.${layout.name}`,
    })),
  ...(sidecar && { proxy: sidecar.name }),
  ports: {
    app: ports[firstPort(spec)] as number,
    ...(sidecar && { proxyAdmin: sidecar.admin, outbound: sidecar.outbound }),
    ...(sidecar?.inbound !== undefined && { inbound: sidecar.inbound }),
  },
});

function targetsOf(layout: Layout): Target[] {
  const url = (port: number, path = '/metrics', host = loopback): string =>
    `http://${host}:${port}${path}`;
  const namespace = layout.name;
  const { controller, workloads, relays } = layout;
  return [
    ...(controller ? [{ job: meshJobs.controller, url: url(controller.admin) }] : []),
    ...workloads.flatMap(({ name, sidecar }) =>
      sidecar
        ? [{ job: meshJobs.proxy, url: url(sidecar.admin), labels: { namespace, workload: name } }]
        : [],
    ),
    ...relays.map(({ name, from, to, admin }) => ({
      job: relayJob,
      url: url(admin),
      labels: { namespace, relay: name, src: from, dst: to },
    })),
    ...workloads.flatMap((workload) => {
      const { name, service, spec, ports } = workload;
      const { metrics } = spec;
      if (!metrics) return [];
      const port = ports[metrics.port ?? firstPort(spec)] as number;
      const labels = { service, workload: name, ...metrics.labels };
      return [
        { job: metrics.job ?? service, url: url(port, metrics.path, hostOf(workload)), labels },
      ];
    }),
  ];
}
