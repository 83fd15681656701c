/**
 * The shop as one program: `node dist/examples/retail/main.js [--folder DIR] [--certificate-lifetime 24h]`. It starts
 * every process, prints its admin port as one JSON line, and ends all processes when it ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeFolder } from '../../base/make-folder.js';
import { dieWithParent } from '../../base/child.js';
import { realClock } from '../../base/clock.js';
import { parseDurationMs } from '../../base/duration.js';
import { exitCode, messageOf, UserError } from '../../base/errors.js';
import { shopNames } from './names.js';
import { Shop } from './shop.js';
import { startShopAdmin } from './shop-admin.js';
import { ShopFaults } from './shop-faults.js';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      'certificate-lifetime': { type: 'string', default: '24h' },
      names: { type: 'boolean', default: false },
    },
  });
  if (values.names) {
    process.stdout.write(`${JSON.stringify(shopNames())}\n`);
    return;
  }
  const certificateLifetimeMs = parseDurationMs(values['certificate-lifetime']);
  if (certificateLifetimeMs === undefined || certificateLifetimeMs < 1000) {
    throw new UserError({ message: 'bad --certificate-lifetime', expected: 'such as 24h' });
  }
  const own = values.folder === undefined;
  const folder = own ? mkdtempSync(join(tmpdir(), 'firedrill-shop-')) : resolve(values.folder!);
  makeFolder(folder, 0o700);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);

  let shop: Shop | undefined;
  let faults: ShopFaults | undefined;
  const end = (code: number): void => {
    faults?.close();
    void (shop?.close() ?? Promise.resolve()).finally(() => {
      if (own) rmSync(folder, { recursive: true, force: true });
      process.exit(code);
    });
  };
  process.on('SIGTERM', () => end(0)).on('SIGINT', () => end(0));
  dieWithParent(() => end(0));
  shop = await Shop.plan({ folder, certificateLifetimeMs, say });
  faults = new ShopFaults(shop, realClock);
  const admin = await startShopAdmin(shop, faults);
  // The line is printed before anything runs, so that an observer can begin; GET /system tells when the shop is ready.
  const line = { admin: admin.port, web: shop.ports.workloads.web?.inbound, pid: process.pid };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  try {
    await shop.start();
  } catch (error) {
    say(messageOf(error));
    return end(exitCode.environment);
  }
  say(`the shop is open at http://127.0.0.1:${shop.ports.workloads.web?.inbound}`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(error instanceof UserError ? error.exitCode : exitCode.environment);
});
