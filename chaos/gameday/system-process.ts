/** The shop of examples/retail as a child of the game day: it and all its processes go when the game day goes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNode } from '../../base/child.js';
import { realClock, sleep } from '../../base/clock.js';
import { formatDurationMs } from '../../base/duration.js';
import { exitCode, UserError } from '../../base/errors.js';
import { program } from '../../base/paths.js';
import { System } from '../faults/system.js';
import type { Journal } from '../runner/journal.js';

export interface SystemProcess {
  system: System;
  /** Where it keeps keys, configurations and events. */
  folder: string;
  /** Resolves when all of it is up. */
  ready: Promise<void>;
  stop(): Promise<void>;
}

const readyLimitMs = 60_000;

/** Resolves when its ports are known; it is not up yet then. */
export async function startShop(
  journal: Journal,
  certificateLifetimeMs: number,
  say: (line: string) => void,
): Promise<SystemProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'firedrill-shop-'));
  journal.folder(folder);
  const lifetime = formatDurationMs(Math.round(certificateLifetimeMs));
  const child = startNode(
    'shop',
    program('examples/retail/main'),
    ['--folder', folder, '--certificate-lifetime', lifetime],
    { onStderr: say },
  );
  journal.process(child.pid, 'the shop');
  const stop = async (): Promise<void> => {
    await child.stop(8000);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { admin } = await child.ready;
    const system = await System.at(`http://127.0.0.1:${String(admin)}`);
    let ended = false;
    void child.exited.then(() => (ended = true));
    const ready = (async () => {
      const end = realClock.nowMs() + readyLimitMs;
      for (;;) {
        if (!ended) await system.refresh().catch(() => undefined);
        if (system.description.ready) return;
        if (ended || realClock.nowMs() > end) {
          const what = ended ? 'ended before it was up' : 'is not up after a minute';
          throw new UserError(`the shop ${what}`, exitCode.environment);
        }
        await sleep(50);
      }
    })();
    ready.catch(() => undefined);
    return { system, folder, ready, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
