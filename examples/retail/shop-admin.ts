/** The shop's own admin port, on loopback: its parts, its events, and the faults that a drill may inject. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, UserError } from '../../base/errors.js';
import type { Target } from '../../alerts/watch/index.js';
import { processLimitsHere } from '../../chaos/system/processes/process-faults.js';
import { askJson } from '../../chaos/system/ask.js';
import type { SystemDescription } from '../../chaos/system/model.js';
import type { ReportSection } from '../../runbooks/record.js';
import { meshJobs } from '../../slo/spec/mesh-metrics.js';
import type { Shop } from './shop.js';
import { proxyName } from './shop.js';
import { type ShopFaults, shopFaults } from './shop-faults.js';
import { calls, frontDoor, identityOf, namespace, trustDomain, workloads } from './topology.js';

export interface ShopAdmin {
  port: number;
  close(): void;
}

const maxBodyBytes = 64 * 1024;

export async function startShopAdmin(shop: Shop, faults: ShopFaults): Promise<ShopAdmin> {
  const server = createServer((request, response) => {
    answer(shop, faults, request).then(
      ([status, value]) => send(response, status, value),
      (error: unknown) =>
        send(response, error instanceof UserError || error instanceof SyntaxError ? 400 : 500, {
          error: messageOf(error),
        }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  shop: Shop,
  faults: ShopFaults,
  request: IncomingMessage,
): Promise<[number, unknown]> {
  const { pathname } = new URL(request.url ?? '/', 'http://admin');
  const call = `${request.method} ${pathname}`;
  const part = (prefix: string): string | undefined =>
    pathname.startsWith(prefix) ? decodeURIComponent(pathname.slice(prefix.length)) : undefined;
  if (call === 'GET /system') return [200, describe(shop)];
  if (call === 'GET /events') return [200, shop.processes.events];
  if (call === 'GET /certificate-events') return [200, shop.certificateEvents()];
  if (call === 'GET /sections') return [200, await sections(shop)];
  if (call === 'GET /faults') return [200, faults.list()];
  if (call === 'POST /faults') return [200, await faults.put(JSON.parse(await body(request)))];
  if (request.method === 'DELETE') {
    const id = part('/faults/');
    if (id !== undefined) {
      const removed = await faults.remove(id);
      return [removed ? 200 : 404, { removed }];
    }
  }
  if (call === 'POST /revision') {
    shop.registryOptions.revision++;
    shop.writeRegistry();
    return [200, { revision: shop.registryOptions.revision }];
  }
  if (call === 'POST /renew-certificates') {
    await shop.renewCertificates();
    return [200, {}];
  }
  const restart = request.method === 'POST' ? part('/restart/') : undefined;
  if (restart !== undefined) {
    if (!shop.processes.names.includes(restart)) return [404, { error: `no process ${restart}` }];
    await shop.processes.stop(restart);
    await shop.processes.startAgain(restart);
    return [200, { pid: shop.processes.pidOf(restart) }];
  }
  return [404, { error: `no ${call}` }];
}

function describe(shop: Shop): SystemDescription {
  const front = workloads.find((w) => w.service === frontDoor)!;
  const url = `http://127.0.0.1:${shop.ports.workloads[front.name]!.inbound!}`;
  return {
    name: 'retail',
    kind: 'shop',
    folder: shop.path(),
    ready: shop.ready,
    trustDomain,
    namespace,
    certificateLifetimeMs: shop.certificateLifetimeMs,
    url,
    controller: {
      process: 'controller',
      grpc: shop.ports.controller,
      admin: shop.ports.controllerAdmin,
    },
    workloads: workloads.map(({ name, service }) => ({
      name,
      service,
      identity: identityOf(service),
      calls: calls[service] ?? [],
      edges: (calls[service] ?? []).map((to) => ({
        name: `${service}/${to}`,
        to,
        destination: `${to}.${namespace}`,
      })),
      proxy: proxyName(name),
      ports: shop.ports.workloads[name]!,
    })),
    dependencies: [],
    relays: [],
    targets: targetsOf(shop),
    faults: [
      ...shopFaults,
      'leak',
      ...processLimitsHere(),
      'slow-service',
      'failing-service',
      'ballast',
    ],
    processes: shop.processes.names.map((name) => {
      const ready = Object.entries(shop.processes.readyOf(name));
      return {
        name,
        kind: shop.processes.descriptionOf(name)!.kind,
        pid: shop.processes.pidOf(name) ?? 0,
        ports: Object.fromEntries(
          ready.filter((e): e is [string, number] => typeof e[1] === 'number' && e[0] !== 'pid'),
        ),
      };
    }),
  };
}

function targetsOf(shop: Shop): Target[] {
  const metrics = (port: number | undefined): string => `http://127.0.0.1:${port}/metrics`;
  return [
    { job: meshJobs.controller, url: metrics(shop.ports.controllerAdmin) },
    ...workloads.map(({ name }) => ({
      job: meshJobs.proxy,
      url: metrics(shop.ports.workloads[name]!.proxyAdmin),
      labels: { namespace, workload: name },
    })),
  ];
}

/** Scenario W1 promises that no customer pays twice, whatever is retried. */
async function sections(shop: Shop): Promise<ReportSection[]> {
  const admin = `http://127.0.0.1:${shop.ports.workloads.payment!.appAdmin}`;
  const { counters } = await askJson<{ counters: Record<string, number> }>(`${admin}/state`);
  const { charges = 0, repeatsAnswered = 0, doubleCharges = 0 } = counters;
  return [
    {
      title: 'Payments',
      rows: [
        { name: 'charges', value: charges },
        { name: 'repeats answered from their key', value: repeatsAnswered },
        { name: 'double charges', value: doubleCharges },
      ],
      figure: {
        name: 'Double charges',
        value: doubleCharges,
        note: `of ${charges} charges; ${repeatsAnswered} repeats answered from their key`,
      },
    },
  ];
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > maxBodyBytes) throw new UserError('the body is too long');
  }
  return text;
}
