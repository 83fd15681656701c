/** A controller and clients for tests: real sockets, a folder of its own, everything ended after the test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { type Clock, realClock, sleep } from '../../../base/clock.js';
import { seededRandom } from '../../../base/random.js';
import { splitPem } from '../../../mesh/identity/csr.js';
import type { DiscoverySource } from '../../../mesh/controller/discovery/source.js';
import { createJoinToken } from '../../../mesh/identity/join-tokens.js';
import { identityName } from '../../../mesh/identity/names.js';
import {
  ControllerClient,
  type ControllerClientOptions,
} from '../../../mesh/controller/client/client.js';
import { controllerConfig } from '../../../mesh/controller/config.js';
import { type Controller, startController } from '../../../mesh/controller/controller.js';
import { controllerIdentity } from '../../../mesh/controller/own-certificate.js';
import type { MeshState } from '../../../mesh/model.js';

export const trustDomain = 'test.local';

const endings: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

export function atEnd(run: () => Promise<void> | void): void {
  endings.push(run);
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'firedrill-control-'));
  endings.unshift(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Waits until a condition holds; the limit is far beyond the expected time. */
export async function eventually(what: () => unknown, limitMs = 15_000): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      if (await what()) return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    if (performance.now() > end) throw new Error(`never came true: ${what.toString()}`);
    await sleep(10);
  }
}

export async function controllerIn(
  path: string,
  overrides: {
    lifetime?: string;
    port?: number;
    registry?: string;
    replica?: string;
    lease?: { file: string; duration: string };
    sources?: DiscoverySource[];
    clock?: Clock;
  } = {},
): Promise<{ controller: Controller; address: string; logs: string[] }> {
  const logs: string[] = [];
  if (overrides.registry !== undefined) {
    writeFileSync(join(path, 'registry.yaml'), overrides.registry);
  }
  const controller = await startController(
    controllerConfig({
      trustDomain,
      listen: { port: overrides.port ?? 0 },
      replica: overrides.replica ?? 'test',
      identity: {
        issuer: { kind: 'files', folder: join(path, 'pki'), create: true },
        certificateLifetime: overrides.lifetime ?? '1h',
        clockSkew: '2s',
        joinTokens: { folder: join(path, 'tokens') },
      },
      discovery: [{ kind: 'file', path: join(path, 'registry.yaml') }],
      events: { file: join(path, 'events.jsonl') },
      ...(overrides.lease && { lease: overrides.lease }),
    }),
    {
      log: (line) => logs.push(line),
      ...(overrides.sources && { sources: overrides.sources }),
      ...(overrides.clock && { clock: overrides.clock }),
    },
  );
  endings.push(() => controller.stop());
  return { controller, address: `127.0.0.1:${controller.grpcPort}`, logs };
}

export function tokenFor(path: string, name: string, uses = 1): string {
  const file = join(path, `${name}.token`);
  const workload = { serviceAccount: name, namespace: 'retail' };
  writeFileSync(file, createJoinToken(join(path, 'tokens'), workload, { ttlMs: 60_000, uses }));
  return file;
}

export interface TestClient {
  client: ControllerClient;
  states: MeshState[];
  identities: { notAfterMs: number; anchors: string[]; issuer: string; chain: string }[];
  logs: string[];
}

export function clientIn(
  path: string,
  name: string,
  addresses: string[],
  overrides: Partial<ControllerClientOptions> = {},
): TestClient {
  const states: MeshState[] = [];
  const identities: TestClient['identities'] = [];
  const logs: string[] = [];
  const client = new ControllerClient({
    addresses,
    controllerIdentity: controllerIdentity(trustDomain),
    workload: { name, namespace: 'retail' },
    identity: identityName({ serviceAccount: name, namespace: 'retail', trustDomain }),
    tokenFile: join(path, `${name}.token`),
    anchors: () => splitPem(readFileSync(join(path, 'pki', 'trust-anchor.crt'), 'utf8')),
    subscribe: ['*'],
    proxyVersion: 'test',
    clock: realClock,
    random: seededRandom(7),
    onState: (state) => void states.push(state),
    onIdentity: (material) => void identities.push(material),
    log: (line) => void logs.push(line),
    ...overrides,
  });
  endings.push(() => client.stop());
  return { client, states, identities, logs };
}

export const registryOf = (services: Record<string, string[]>): string =>
  JSON.stringify({
    services: Object.entries(services).map(([name, endpoints]) => ({
      name,
      namespace: 'retail',
      endpoints: endpoints.map((address) => ({ address })),
    })),
  });
