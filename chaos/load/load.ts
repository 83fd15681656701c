/** Puts a load on a system until told to stop: by k6 where it is found, else by our own driver. */
import { type GuardedChild, startGuarded, startNode } from '../../base/child.js';
import { realClock, sleep } from '../../base/clock.js';
import { exitCode, UserError } from '../../base/errors.js';
import { asset, program } from '../../base/paths.js';
import { findTool, requireTool } from '../../base/tools.js';
import { K6Csv } from './k6-csv.js';
import { LoadPoints } from './points.js';
import type { LoadProfile } from './profile.js';

export type LoadKind = 'k6' | 'embedded';

export interface Load {
  readonly kind: LoadKind;
  readonly version: string | undefined;
  readonly points: LoadPoints;
  /** So long after a request ended, its point is here. */
  readonly lagMs: number;
  /** Why it ended by itself; undefined while it runs. */
  readonly failure: string | undefined;
  stop(): Promise<void>;
}

const firstPointLimitMs = 20_000;

/** Resolves with the first answer. `auto` is k6 where it is found. */
export async function startLoad(kind: 'auto' | LoadKind, profile: LoadProfile): Promise<Load> {
  const useK6 = kind === 'k6' || (kind === 'auto' && findTool('k6') !== undefined);
  const load = useK6 ? await startK6(profile) : startEmbedded(profile);
  const end = realClock.nowMs() + firstPointLimitMs;
  while (load.points.count === 0) {
    if (load.failure !== undefined || realClock.nowMs() > end) {
      await load.stop();
      const why = load.failure ?? `no request ended within ${firstPointLimitMs / 1000} s`;
      throw new UserError(`the load (${load.kind}) did not start: ${why}`, exitCode.environment);
    }
    await sleep(20);
  }
  return load;
}

function startEmbedded(profile: LoadProfile): Load {
  const points = new LoadPoints();
  const state: { failure?: string; stopping: boolean } = { stopping: false };
  const child = startNode('load', program('chaos/load/driver-main'), [JSON.stringify(profile)], {
    onStdout: (line) => {
      const [route, a, b, ok] = line.split(',');
      if (route === undefined || a === undefined) return;
      if (route === 'dropped') points.dropped += Number(a);
      else points.add({ route, atMs: Number(a), ms: Number(b), ok: ok === '1' });
    },
  });
  void child.exited.then((code) => {
    if (!state.stopping) state.failure = `the driver ended with ${code}`;
  });
  return {
    kind: 'embedded',
    version: undefined,
    points,
    lagMs: 250,
    get failure() {
      return state.failure;
    },
    async stop() {
      state.stopping = true;
      await child.stop();
    },
  };
}

async function startK6(profile: LoadProfile): Promise<Load> {
  const path = requireTool('k6');
  const points = new LoadPoints();
  const csv = new K6Csv(
    (point) => points.add(point),
    (count) => (points.dropped += count),
  );
  const state: { failure?: string; stopping: boolean } = { stopping: false };
  const args = ['run', '--quiet', '--no-usage-report', '--no-summary', '--log-output=none'];
  const child: GuardedChild = startGuarded(
    'k6',
    path,
    [...args, '--address=127.0.0.1:0', '--out=csv=-', asset('chaos/load/k6/load.js')],
    {
      env: {
        PROFILE: JSON.stringify(profile),
        K6_CSV_TIME_FORMAT: 'unix_milli',
        K6_CSV_SAVE_INTERVAL: '200ms',
      },
      onLine: (line) => csv.line(line),
    },
  );
  void child.exited.then((code) => {
    if (!state.stopping) state.failure = `k6 ended with ${code}: ${child.lastWords().slice(-300)}`;
  });
  return {
    kind: 'k6',
    version: await versionOf(path),
    points,
    // Twice the interval at which k6 writes.
    lagMs: 500,
    get failure() {
      return state.failure;
    },
    async stop() {
      state.stopping = true;
      await child.stop(3000);
    },
  };
}

async function versionOf(path: string): Promise<string | undefined> {
  let text = '';
  const child = startGuarded('k6 version', path, ['version'], { onLine: (line) => (text += line) });
  await child.exited;
  return /v(\d+\.\d+\.\d+)/.exec(text)?.[1];
}
