/** A user's Locust file, run by the locust on PATH with our listener, which writes one line for each request. */
import { startGuarded } from '../../base/child.js';
import { asset } from '../../base/paths.js';
import { requireTool } from '../../base/tools.js';
import { readDriverLine } from './driver-line.js';
import type { Load } from './load.js';
import { LoadPoints } from './points.js';

export interface LocustPlan {
  kind: 'locust';
  file: string;
  users: number;
  /** Users started per second. */
  spawnRate: number;
}

/** Prefix of our lines in Locust's output. */
const mark = 'firedrill,';

export function startLocust(plan: LocustPlan, url: string): Load {
  const path = requireTool('locust');
  const points = new LoadPoints();
  const state: { failure?: string; stopping: boolean; said: string } = {
    stopping: false,
    said: '',
  };
  const files = `${plan.file},${asset('chaos/load/locust/points.py')}`;
  const args = ['-f', files, '--headless', '-u', String(plan.users), '-r', String(plan.spawnRate)];
  const child = startGuarded(
    'locust',
    path,
    [...args, '--host', url, '--only-summary', '--skip-log-setup', '--stop-timeout', '0'],
    {
      env: { PYTHONUNBUFFERED: '1' },
      onLine: (line) => {
        if (line.startsWith(mark)) readDriverLine(line.slice(mark.length), points);
        else if (line.trim() !== '') state.said = line.slice(0, 200);
      },
    },
  );
  void child.exited.then((code) => {
    if (state.stopping) return;
    const words = state.said === '' ? '' : ` (${state.said.trim()})`;
    state.failure = `locust ended before it was told to: exit code ${code ?? 'none'}${words}`;
  });
  return {
    kind: 'locust',
    version: undefined,
    points,
    lagMs: 250,
    get failure() {
      return state.failure;
    },
    async stop() {
      state.stopping = true;
      await child.stop(3000);
    },
  };
}
