/** The parts that all setups of a bench of proxies share: identities, and a collector that takes spans. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { issueToFiles } from '../mesh/identity/issue.js';
import { ensurePki } from '../mesh/identity/pki-files.js';
import type { World } from './proxy-setups.js';

const identityOf = (name: string): string => `${name}.retail.serviceaccount.identity.bench.local`;

/** Certificates for two workloads, and a sink for spans. */
export async function makeWorld(folder: string, upstreams: number[]): Promise<World> {
  await ensurePki(join(folder, 'pki'), { trustDomain: 'bench.local' });
  for (const name of ['cart', 'checkout']) {
    const out = join(folder, name);
    const day = 86_400_000;
    await issueToFiles({
      folder: join(folder, 'pki'),
      identity: identityOf(name),
      out,
      lifetimeMs: day,
    });
    const pem = readFileSync(`${out}.crt`, 'utf8') + readFileSync(`${out}.key`, 'utf8');
    writeFileSync(`${out}.pem`, pem, { mode: 0o600 });
  }
  // Takes spans and says 200: a collector's place in the bench.
  const sink = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'));
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  sink.unref();
  return { folder, upstreams, otlpPort: (sink.address() as AddressInfo).port, identityOf };
}
