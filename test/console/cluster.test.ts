/** `--cluster`: the proxies and the leading controller behind an API server, by forwarded ports. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { UserError } from '../../base/errors.js';
import type { Platform, Services } from '../../console/mesh.js';
import { sourcesOf } from '../../console/sources.js';
import { fakeSources } from './sources.js';

interface WebSocket {
  on(event: 'message', take: (data: Buffer) => void): void;
  on(event: 'close', take: () => void): void;
  send(data: Buffer): void;
  close(): void;
}
const { WebSocketServer } = createRequire(import.meta.url)('ws') as {
  WebSocketServer: new (options: object) => {
    handleUpgrade(r: unknown, s: unknown, h: Buffer, take: (ws: WebSocket) => void): void;
  };
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => (server.closeAllConnections(), server.close()));
  return (server.address() as AddressInfo).port;
};

const pod = (name: string, containers: string[]) => ({
  metadata: { namespace: 'retail', name },
  spec: { containers: containers.map((own) => ({ name: own })) },
  status: { podIP: '10.0.0.1' },
});

interface Fake {
  /** Pods by the API's label selector. */
  pods: (selector: string) => object[];
  /** The port of a pod on this machine, by `pod:port`. */
  ports: Record<string, number>;
}

/** An API server that lists pods and forwards ports as a kubelet does; resolves to a kubeconfig for it. */
async function apiServer({ pods, ports }: Fake): Promise<string> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://api');
    const items = pods(searchParams.get('labelSelector') ?? '');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ items, metadata: { resourceVersion: '1' } }));
  });
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (all: Set<string>) => [...all][0],
  });
  server.on('upgrade', (request, socket: Socket, head: Buffer) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api');
    const port = searchParams.get('ports') ?? '';
    const to = ports[`${pathname.split('/').at(-2)}:${port}`];
    if (to === undefined) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const pipe = connect(to, '127.0.0.1');
      const number = Buffer.alloc(2);
      number.writeUInt16LE(Number(port));
      ws.send(Buffer.concat([Buffer.of(0), number]));
      pipe.on('data', (chunk) => ws.send(Buffer.concat([Buffer.of(0), chunk])));
      pipe.on('close', () => ws.close()).on('error', () => ws.close());
      ws.on('message', (data) => void (data[0] === 0 && pipe.write(data.subarray(1))));
      ws.on('close', () => pipe.destroy());
    });
  });
  const at = `http://127.0.0.1:${await listening(server)}`;
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-cluster-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'kubeconfig');
  const named = (kind: string, value: object) => [{ name: 'one', [kind]: value }];
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      clusters: named('cluster', { server: at, 'insecure-skip-tls-verify': true }),
      users: named('user', { token: 'x' }),
      contexts: named('context', { cluster: 'one', user: 'one' }),
    }),
  );
  return file;
}

const base = { report: 'none', state: 'none' };
const read = async <T>(kubeconfig: string, part: string): Promise<T> => {
  const { readers = [] } = sourcesOf({ ...base, cluster: true, kubeconfig } as never);
  const reader = new Map(readers).get(part);
  if (!reader) throw new Error(`no reader of ${part}`);
  return (await reader(new URLSearchParams())) as T;
};

test('the proxies of meshed pods, by the names of their workloads, and the controller that leads', async () => {
  const fakes = await fakeSources();
  closing.push(() => fakes.close());
  const standby = createServer((_, response) => response.end('{"version":1,"leading":false}'));
  const portOf = (url: string): number => Number(new URL(url).port);
  const kubeconfig = await apiServer({
    pods: (selector) =>
      selector === ''
        ? [pod('cart-1', ['cart', 'firedrill-proxy']), pod('plain-1', ['plain'])]
        : [pod('controller-0', ['main']), pod('controller-1', ['main'])],
    ports: {
      'cart-1:4191': Number(fakes.proxies),
      'controller-0:9990': await listening(standby),
      'controller-1:9990': portOf(fakes.controller),
    },
  });
  const services = await read<Services>(kubeconfig, 'services');
  expect(services.workloads.map((w) => [w.name, w.proxies])).toEqual([['cart.retail', 1]]);
  expect(services.silent).toEqual([]);
  expect(new Set(services.endpoints.flatMap((e) => e.seenBy))).toEqual(new Set(['cart.retail']));
  const platform = await read<Platform>(kubeconfig, 'platform');
  expect([platform.state.version, platform.state.leading]).toEqual([3, true]);
  expect(platform.lives).toHaveLength(1);
});

test('a cluster without proxies or a controller, and one that forbids the way to them, are told in words', async () => {
  const empty = await apiServer({ pods: () => [], ports: {} });
  await expect(read(empty, 'services')).rejects.toThrow('no pod of the cluster has a proxy');
  await expect(read(empty, 'platform')).rejects.toThrow('runs no pod of a controller');
  const closed = await apiServer({
    pods: () => [pod('closed-1', ['web', 'firedrill-proxy'])],
    ports: {},
  });
  await expect(read(closed, 'services')).rejects.toThrow(
    'no proxy answers: retail/closed-1 (the API server forbids it',
  );
  expect(() => sourcesOf({ ...base, context: 'one' } as never)).toThrow(UserError);
});
