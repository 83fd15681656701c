/** k6 as a child process: its CSV becomes points, and its failure becomes a sentence. */
import { startGuarded } from '../../base/child.js';
import { requireTool } from '../../base/tools.js';
import { K6Csv, systemTags } from './k6-csv.js';
import type { Load } from './load.js';
import { LoadPoints } from './points.js';

/** Each variable is passed to the script's environment (`__ENV`). */
export async function startK6(script: string, env: Record<string, string>): Promise<Load> {
  const path = requireTool('k6');
  const points = new LoadPoints();
  const csv = new K6Csv(
    (point) => points.add(point),
    (count) => (points.dropped += count),
  );
  const state: { failure?: string; stopping: boolean } = { stopping: false };
  const args = ['run', '--quiet', '--no-usage-report', '--no-summary', '--log-format=raw'];
  const child = startGuarded(
    'k6',
    path,
    [...args, '--address=127.0.0.1:0', '--out=csv=-', script],
    {
      env: {
        ...env,
        K6_CSV_TIME_FORMAT: 'unix_milli',
        K6_CSV_SAVE_INTERVAL: '200ms',
        K6_SYSTEM_TAGS: systemTags,
      },
      onLine: (line) => csv.line(line),
    },
  );
  void child.exited.then((code) => {
    csv.flush();
    if (!state.stopping) state.failure = deathOf(code, csv.lastWords);
  });
  return {
    kind: 'k6',
    version: await versionOf(path),
    points,
    // Twice k6's interval for writing the CSV, in milliseconds.
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

/** The meanings of k6's exit codes. */
const meanings: Record<number, string> = {
  0: 'its script came to an end',
  99: 'its own thresholds were crossed',
  104: 'its options cannot be used',
  105: 'it was stopped from outside',
  106: 'it cannot be started',
  107: 'its script threw an exception',
  108: 'its script aborted the test',
  137: 'it was killed',
  143: 'it was killed',
};

/** One sentence, regardless of k6's other output. */
export function deathOf(code: number | null, lastWords: string): string {
  const meaning = code === null ? 'it was killed' : meanings[code];
  const why = meaning ?? `exit code ${code}`;
  // k6's earlier output is unrelated to an end from outside.
  const isOwn = code !== null && ![0, 105, 137, 143].includes(code);
  const words = (isOwn ? lastWords : '').replace(/\s+/g, ' ').trim().slice(0, 200);
  return `k6 ended before it was told to: ${why}${words === '' ? '' : ` (${words})`}`;
}

async function versionOf(path: string): Promise<string | undefined> {
  let text = '';
  const child = startGuarded('k6 version', path, ['version'], { onLine: (line) => (text += line) });
  await child.exited;
  return /v(\d+\.\d+\.\d+)/.exec(text)?.[1];
}
