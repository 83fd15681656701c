/**
 * The same job for each proxy: spread requests over three endpoints of one upstream, with retries enabled, outlier
 * detection and counters for each route; plain in one hop, or out and in with mutual TLS 1.3 verified at both ends.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireTool } from '../base/tools.js';
import { proxyEnvironment, proxyNodeFlags, proxyProgram } from '../mesh/proxy/launch.js';
import type { MeshState, ProxyConfig, Route } from '../mesh/model.js';
import { freePorts, type Measured, startProcess } from './proxy-processes.js';

export interface Setup {
  /** The target port of the load. */
  port: number;
  /** The port of the second hop, which requires a certificate; only with mutual TLS. */
  inner?: number;
  /** In the order of the hops. */
  processes: Measured[];
}

export interface World {
  folder: string;
  /** Three ports of the upstream. */
  upstreams: number[];
  otlpPort: number;
  identityOf(name: string): string;
  /** HTTP/2 on every hop, including the upstream's. */
  http2?: boolean;
}

/** `firedrill-http1`: HTTP/1.1 is kept between the two firedrill proxies. */
export const names = ['haproxy', 'envoy', 'firedrill', 'firedrill-http1'] as const;
export type Name = (typeof names)[number];
export type Hops = 'plain' | 'mtls';

export async function startUpstream(
  folder: string,
): Promise<{ process: Measured; ports: number[] }> {
  const ports = await freePorts(3);
  const file = join(folder, 'upstream.cfg');
  const body = 'x'.repeat(512);
  writeFileSync(
    file,
    `${haproxyDefaults}frontend app
${ports.map((p) => `  bind 127.0.0.1:${p}`).join('\n')}
  http-request return status 200 content-type text/plain hdr cache-control no-store string ${body}
`,
  );
  const process = await startProcess('upstream', requireTool('haproxy'), ['-f', file], ports);
  return { process, ports };
}

export function start(name: Name, hops: Hops, world: World): Promise<Setup> {
  if (name === 'haproxy') return startHaproxy(hops, world);
  if (name === 'envoy') return startEnvoy(hops, world);
  return startOurs(name, hops, world);
}

// HAProxy.

const haproxyDefaults = `global
  nbthread 1
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 10s
  timeout http-keep-alive 60s
  option http-keep-alive
`;

async function startHaproxy(hops: Hops, world: World): Promise<Setup> {
  const [port = 0, inner = 0] = await freePorts(2);
  const protocol = (socket: string): string => {
    if (!world.http2) return '';
    return socket.includes(' ssl ') ? ' alpn h2' : ' proto h2';
  };
  const hop = async (name: string, bind: string, servers: string[]): Promise<Measured> => {
    const file = join(world.folder, `${name}.cfg`);
    const lines = servers.map(
      (s, i) =>
        `  server s${i} ${s}${protocol(s)} observe layer7 error-limit 7 on-error fastinter check inter 60s`,
    );
    writeFileSync(
      file,
      `${haproxyDefaults}frontend in
  bind 127.0.0.1:${bind}${protocol(bind)}
  default_backend out
backend out
  balance random(2)
  retries 2
  retry-on conn-failure empty-response 502 503
  option redispatch
${lines.join('\n')}
`,
    );
    return startProcess(name, requireTool('haproxy'), ['-f', file], [Number(bind.split(' ')[0])]);
  };
  const upstreams = world.upstreams.map((p) => `127.0.0.1:${p}`);
  if (hops === 'plain') {
    return { port, processes: [await hop('haproxy', String(port), upstreams)] };
  }
  const at = (file: string): string => join(world.folder, file);
  const anchors = at('pki/trust-anchor.crt');
  const inbound = `${inner} ssl crt ${at('cart.pem')} ca-file ${anchors} verify required`;
  const identity = world.identityOf('cart');
  const outbound =
    `127.0.0.1:${inner} ssl crt ${at('checkout.pem')} ca-file ${anchors} verify required ` +
    `verifyhost ${identity} sni str(${identity})`;
  // The inner hop starts first: a server that is missing at first stays marked down.
  const inside = await hop('haproxy-in', inbound, upstreams);
  const outside = await hop('haproxy-out', String(port), [outbound]);
  return { port, inner, processes: [outside, inside] };
}

// Envoy.

async function startEnvoy(hops: Hops, world: World): Promise<Setup> {
  const [port = 0, inner = 0] = await freePorts(2);
  const at = (file: string): string => join(world.folder, file);
  const common = (name: string): object => ({
    tls_params: {
      tls_minimum_protocol_version: 'TLSv1_3',
      tls_maximum_protocol_version: 'TLSv1_3',
    },
    tls_certificates: [
      {
        certificate_chain: { filename: at(`${name}.crt`) },
        private_key: { filename: at(`${name}.key`) },
      },
    ],
    validation_context: {
      trusted_ca: { filename: at('pki/trust-anchor.crt') },
      match_typed_subject_alt_names: [
        {
          san_type: 'DNS',
          matcher: { exact: world.identityOf(name === 'cart' ? 'checkout' : 'cart') },
        },
      ],
    },
    alpn_protocols: [world.http2 ? 'h2' : 'http/1.1'],
  });
  const type = (kind: string): string =>
    `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${kind}`;
  const tlsIn = {
    name: 'tls',
    typed_config: {
      '@type': type('DownstreamTlsContext'),
      require_client_certificate: true,
      common_tls_context: common('cart'),
    },
  };
  const tlsOut = {
    name: 'tls',
    typed_config: {
      '@type': type('UpstreamTlsContext'),
      sni: world.identityOf('cart'),
      common_tls_context: common('checkout'),
    },
  };
  const hop = async (
    name: string,
    listen: number,
    to: number[],
    server?: object,
    client?: object,
  ): Promise<Measured> => {
    const file = join(world.folder, `${name}.json`);
    writeFileSync(
      file,
      JSON.stringify(envoyConfig(listen, to, world.http2 === true, server, client)),
    );
    const args = ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
    return startProcess(name, requireTool('envoy'), args, [listen]);
  };
  if (hops === 'plain') return { port, processes: [await hop('envoy', port, world.upstreams)] };
  const inside = await hop('envoy-in', inner, world.upstreams, tlsIn);
  const outside = await hop('envoy-out', port, [inner], undefined, tlsOut);
  return { port, inner, processes: [outside, inside] };
}

function envoyConfig(
  port: number,
  to: number[],
  http2: boolean,
  tlsIn?: object,
  tlsOut?: object,
): object {
  const options = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const address = (port_value: number): object => ({
    socket_address: { address: '127.0.0.1', port_value },
  });
  const manager = {
    '@type':
      'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'in',
    route_config: {
      virtual_hosts: [
        {
          name: 'cart',
          domains: ['*'],
          routes: [
            {
              name: 'items',
              match: { prefix: '/items' },
              route: {
                cluster: 'cart',
                timeout: '10s',
                retry_policy: {
                  retry_on: '5xx,connect-failure',
                  num_retries: 2,
                  per_try_timeout: '2s',
                },
              },
            },
          ],
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
        },
      },
    ],
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(port),
          filter_chains: [
            {
              filters: [{ name: 'http', typed_config: manager }],
              ...(tlsIn && { transport_socket: tlsIn }),
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'cart',
          type: 'STATIC',
          connect_timeout: '1s',
          lb_policy: 'LEAST_REQUEST',
          outlier_detection: { consecutive_5xx: 7 },
          circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 20 } } }] },
          load_assignment: {
            cluster_name: 'cart',
            endpoints: [{ lb_endpoints: to.map((p) => ({ endpoint: { address: address(p) } })) }],
          },
          ...(http2 && { typed_extension_protocol_options: options }),
          ...(tlsOut && { transport_socket: tlsOut }),
        },
      ],
    },
  };
}

// Firedrill, with every feature on.

const route: Route = {
  name: 'items',
  matches: [{ path: { kind: 'prefix', value: '/items' } }],
  split: [{ backend: 'cart', weight: 1 }],
  timeouts: { requestMs: 10_000, perTryMs: 2000, idleMs: 60_000 },
  retry: {
    limit: 2,
    statuses: [[500, 599]],
    onConnectFailure: true,
    unsafeMethods: false,
    backoff: { baseMs: 25, maxMs: 250, jitter: 1 },
    budget: { ratio: 0.2, minRetriesPerSecond: 10, ttlSeconds: 10 },
    maxBufferedBytes: 65_536,
  },
};

function outboundState(
  endpoints: { address: string; identity?: string; http2?: boolean }[],
): MeshState {
  return {
    version: 1,
    servers: [],
    unknownDestinations: 'refuse',
    destinations: [
      {
        name: 'cart.retail',
        service: 'cart',
        namespace: 'retail',
        // h2load sends the address that it connects to as the host.
        hosts: ['cart', 'cart.retail', '127.0.0.1'],
        addresses: [],
        protocol: 'detect',
        routes: [route],
        backends: [
          {
            name: 'cart',
            endpoints,
            balancer: { kind: 'ewma', defaultRttMs: 30, decaySeconds: 10, slowStartSeconds: 0 },
            breaker: {
              consecutiveFailures: 7,
              successRate: { threshold: 0.8, windowSeconds: 10, minRequests: 20 },
              minOpenMs: 1000,
              maxOpenMs: 60_000,
              jitter: 0.5,
              maxEjectedRatio: 0.5,
              panicRatio: 0.25,
            },
            limits: { maxConnections: 1024, maxPending: 1024, maxRequests: 4096 },
            failFastMs: 3000,
          },
        ],
      },
    ],
  };
}

async function startOurs(own: Name, hops: Hops, world: World): Promise<Setup> {
  const [port = 0, inner = 0, admin = 0, innerAdmin = 0] = await freePorts(4);
  const hop = async (
    name: string,
    listen: number,
    config: Partial<ProxyConfig>,
    adminPort: number,
  ): Promise<Measured> => {
    // Each proxy needs its own file: a shared file is watched and would be reloaded by the other.
    const file = join(world.folder, `${name}-${listen}.json`);
    const whole: ProxyConfig = {
      workload: { name, namespace: 'retail' },
      admin: { host: '127.0.0.1', port: adminPort },
      tracing: { otlpUrl: `http://127.0.0.1:${world.otlpPort}/v1/traces`, sampleRatio: 0.01 },
      ...(own === 'firedrill-http1' && { http1BetweenProxies: 'http1' }),
      ...config,
    };
    writeFileSync(file, JSON.stringify(whole));
    const args = [...proxyNodeFlags, proxyProgram, '--config', file];
    return startProcess(name, process.execPath, args, [listen], proxyEnvironment);
  };
  const listener = (p: number): { host: string; port: number; mode: 'explicit' } => ({
    host: '127.0.0.1',
    port: p,
    mode: 'explicit',
  });
  const upstreams = world.upstreams.map((p) => ({
    address: `127.0.0.1:${p}`,
    ...(world.http2 && { http2: true }),
  }));
  if (hops === 'plain') {
    const config = { outbound: listener(port), state: outboundState(upstreams) };
    return { port, processes: [await hop('firedrill', port, config, admin)] };
  }
  const identity = (name: string): NonNullable<ProxyConfig['identity']> => ({
    name: world.identityOf(name),
    trustAnchorsFile: join(world.folder, 'pki/trust-anchor.crt'),
    certificateFile: join(world.folder, `${name}.crt`),
    keyFile: join(world.folder, `${name}.key`),
  });
  const inbound = {
    inbound: listener(inner),
    identity: identity('cart'),
    state: {
      version: 1,
      destinations: [],
      unknownDestinations: 'refuse',
      servers: [
        {
          name: 'http',
          port: inner,
          target: `127.0.0.1:${world.upstreams[0]}`,
          protocol: 'detect',
          defaultPolicy: 'deny',
          authorizations: [
            {
              name: 'checkout',
              identities: [world.identityOf('checkout')],
              unauthenticated: false,
            },
          ],
          routes: [route],
        },
      ],
    } satisfies MeshState,
  };
  const outbound = {
    outbound: listener(port),
    identity: identity('checkout'),
    state: outboundState([{ address: `127.0.0.1:${inner}`, identity: world.identityOf('cart') }]),
  };
  const inside = await hop('firedrill-in', inner, inbound, innerAdmin);
  const outside = await hop('firedrill-out', port, outbound, admin);
  return { port, inner, processes: [outside, inside] };
}
