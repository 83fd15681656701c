/** The parts of the proxy's tests: proxies in this process, scripted servers, raw clients. */
import { createServer, type Socket, type AddressInfo, connect } from 'node:net';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, realClock } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import { issueToFiles } from '../../../mesh/identity/issue.js';
import { ensurePki } from '../../../mesh/identity/pki-files.js';
import type {
  Backend,
  Destination,
  Endpoint,
  InboundServer,
  MeshState,
  ProxyConfig,
  Route,
} from '../../../mesh/model.js';
import { Proxy } from '../../../mesh/proxy/proxy.js';

export interface Running {
  port: number;
  close(): Promise<void>;
}

export function destination(
  name: string,
  addresses: (string | Endpoint)[],
  more: Partial<Destination> & { backend?: Partial<Backend> } = {},
): Destination {
  const { backend, ...rest } = more;
  return {
    name: `${name}.retail`,
    service: name,
    namespace: 'retail',
    hosts: [name],
    addresses: [],
    protocol: 'detect',
    routes: [],
    backends: [
      {
        name,
        endpoints: addresses.map((a) => (typeof a === 'string' ? { address: a } : a)),
        balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
        limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 4096 },
        failFastMs: 500,
        ...backend,
      },
    ],
    ...rest,
  };
}

export function route(more: Partial<Route> & { backend?: string } = {}): Route {
  const { backend = 'cart', ...rest } = more;
  return { name: 'all', matches: [], split: [{ backend, weight: 1 }], timeouts: {}, ...rest };
}

export function server(
  port: number,
  target: string,
  more: Partial<InboundServer> = {},
): InboundServer {
  return {
    name: 'http',
    port,
    target,
    protocol: 'detect',
    defaultPolicy: 'all-unauthenticated',
    authorizations: [],
    routes: [],
    ...more,
  };
}

export function state(parts: Partial<MeshState>): MeshState {
  return { version: 1, destinations: [], servers: [], unknownDestinations: 'refuse', ...parts };
}

export interface TestProxy {
  proxy: Proxy;
  inbound: number;
  outbound: number;
  admin: number;
  logs: string[];
  stop(): Promise<void>;
}

const listen = { host: '127.0.0.1', port: 0, mode: 'explicit' as const };

export async function startProxy(
  parts: Partial<ProxyConfig> & { sides?: ('inbound' | 'outbound')[]; clock?: Clock },
): Promise<TestProxy> {
  const { sides = ['outbound'], clock = realClock, ...config } = parts;
  const logs: string[] = [];
  const proxy = new Proxy({
    config: {
      workload: { name: 'test', namespace: 'retail' },
      admin: { host: '127.0.0.1', port: 0 },
      ...(sides.includes('inbound') && { inbound: listen }),
      ...(sides.includes('outbound') && { outbound: listen }),
      ...config,
    },
    clock,
    random: seededRandom(1),
    version: 'test',
    log: (line) => logs.push(line),
  });
  await proxy.start();
  const { inbound = 0, outbound = 0, admin = 0 } = proxy.ports;
  return { proxy, inbound, outbound, admin, logs, stop: () => proxy.stop() };
}

/** A server of raw bytes. */
export async function rawServer(
  handle: (socket: Socket) => void,
): Promise<Running & { sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const tcp = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    handle(socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  return {
    port: (tcp.address() as AddressInfo).port,
    sockets,
    close: () =>
      new Promise((resolve) => {
        tcp.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Answers each request head that ends the bytes so far with these bytes. */
export function answering(
  answer: string | ((head: string, socket: Socket) => string),
): (socket: Socket) => void {
  return (socket) => {
    let seen = '';
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      if (!seen.includes('\r\n\r\n')) return;
      const text = typeof answer === 'string' ? answer : answer(seen, socket);
      seen = '';
      if (text !== '') socket.write(text, 'latin1');
    });
  };
}

export async function httpServer(handle: RequestListener): Promise<Running> {
  const http = createHttpServer({ keepAliveTimeout: 60_000 }, handle);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    port: (http.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
}

/**
 * Sends bytes, and resolves to the received ones when `until` matches (or the number of bytes is reached), or the
 * connection ends (`<end>`, `<reset>`).
 */
export function say(
  port: number,
  bytes: string | readonly string[],
  options: { until?: RegExp | number; half?: boolean; limitMs?: number } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    let got = '';
    const done = (mark: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(got + mark);
    };
    const timer = setTimeout(() => done('<timeout>'), options.limitMs ?? 8000);
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
      const { until: enough } = options;
      if (typeof enough === 'number' ? got.length >= enough : enough?.test(got)) done('');
    });
    socket.on('end', () => done('<end>'));
    socket.on('error', () => done('<reset>'));
    const parts = typeof bytes === 'string' ? [bytes] : bytes;
    void (async () => {
      for (const part of parts) {
        socket.write(part, 'latin1');
        if (parts.length > 1) await new Promise((next) => setTimeout(next, 15));
      }
      if (options.half) socket.end();
    })();
  });
}

export async function until(
  what: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!(await what())) {
    if (Date.now() > endMs) throw new Error(`it did not come to: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Pki {
  folder: string;
  identityOf(name: string): string;
  /** The identity part of a configuration, with a fresh certificate. */
  issue(name: string, lifetimeMs?: number): Promise<NonNullable<ProxyConfig['identity']>>;
  remove(): void;
}

export async function pki(): Promise<Pki> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-proxy-'));
  await ensurePki(join(folder, 'pki'), { trustDomain: 'test.local' });
  const identityOf = (name: string): string => `${name}.retail.serviceaccount.identity.test.local`;
  return {
    folder,
    identityOf,
    async issue(name, lifetimeMs = 3_600_000) {
      const out = join(folder, name);
      await issueToFiles({
        folder: join(folder, 'pki'),
        identity: identityOf(name),
        out,
        lifetimeMs,
      });
      return {
        name: identityOf(name),
        trustAnchorsFile: join(folder, 'pki', 'trust-anchor.crt'),
        certificateFile: `${out}.crt`,
        keyFile: `${out}.key`,
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
