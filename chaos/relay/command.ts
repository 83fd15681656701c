/** `firedrill relay LISTEN UPSTREAM`: makes one call a target for faults, with one command. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { exitCode } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { freePorts } from '../../base/ports.js';
import type { ProxyConfig } from '../../mesh/model.js';
import { backendDefaults } from '../../mesh/schema/backend.js';
import { runProxy } from '../../mesh/proxy/launch.js';
import { readAddress } from './address.js';
import type { Address } from './relay.js';
import { choiceOption } from '../../base/choice-option.js';

export interface RelayOptions {
  admin: string;
  protocol: 'tcp' | 'http' | 'grpc';
}

export function registerRelay(parent: Command): void {
  parent
    .command('relay')
    .description('Relay one connection, with its own metrics and injectable faults')
    .argument('<listen>', 'host:port, or a port of loopback')
    .argument('<upstream...>', 'host:port; several are taken in turn')
    .option(
      '--admin <address>',
      'address for metrics and faults (default: a free port, which is printed)',
      '0',
    )
    .addOption(
      choiceOption('--protocol <name>', 'http, grpc: requests are looked at', [
        'tcp',
        'http',
        'grpc',
      ]).default('tcp'),
    )
    .addHelpText(
      'after',
      `
Examples:
  firedrill relay 6380 127.0.0.1:6379
  firedrill relay 8081 127.0.0.1:8080 --protocol http --admin 4191
  curl -X POST 127.0.0.1:ADMIN/faults -d '{"id":"slow","ttlMs":60000,"kind":"latency","latencyMs":500}'`,
    )
    .action(async (listen: string, upstreams: string[], options: RelayOptions) => {
      process.exitCode = await runRelay(readAddress(listen), upstreams.map(readAddress), options);
    });
}

async function runRelay(
  listen: Address,
  upstreams: Address[],
  { admin, protocol }: RelayOptions,
): Promise<number> {
  const at = readAddress(admin);
  if (protocol === 'tcp') {
    const args = [listen, at, ...upstreams].map(({ host, port }) => `${host}:${port}`);
    return inForeground(program('chaos/relay/main'), args);
  }
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-relay-'));
  try {
    const [outbound = 0] = await freePorts(1);
    const config = proxyFor(listen, upstreams, { admin: at, outbound, protocol });
    const file = join(folder, 'proxy.json');
    writeFileSync(file, JSON.stringify(config));
    return await runProxy(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The entry of a proxy with this one call. */
function proxyFor(
  listen: Address,
  upstreams: readonly Address[],
  options: { admin: Address; outbound: number; protocol: 'http' | 'grpc' },
): ProxyConfig {
  return {
    workload: { name: 'relay', namespace: 'local' },
    outbound: { host: '127.0.0.1', port: options.outbound, mode: 'explicit' },
    calls: [listen],
    admin: options.admin,
    drainSeconds: 1,
    state: {
      version: 1,
      unknownDestinations: 'refuse',
      servers: [],
      destinations: [
        {
          name: 'upstream.local',
          service: 'upstream',
          namespace: 'local',
          hosts: ['upstream'],
          addresses: [`${listen.host}:${listen.port}`],
          protocol: options.protocol === 'grpc' ? 'http2' : 'http1',
          routes: [],
          backends: [
            {
              name: 'upstream',
              endpoints: upstreams.map(({ host, port }) => ({ address: `${host}:${port}` })),
              ...backendDefaults,
              failFastMs: 500,
            },
          ],
        },
      ],
    },
  };
}

/** Passes signals on to the child, and ends with its exit code. */
function inForeground(script: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...process.env, FIREDRILL_DIE_WITH_PARENT: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void child.kill(signal));
  }
  return new Promise((resolve) => {
    child.on('error', () => resolve(exitCode.environment));
    child.on('exit', (code) => resolve(code ?? exitCode.environment));
  });
}
