/**
 * Kills the runner, the watcher and the warden of a `system: attach` at random moments, alone, in pairs and together,
 * and checks ten seconds later for a remaining fault, process or journal. If runner and warden were both killed, a
 * surviving watcher rolls the fault back; `gameday recover` does the rest, called as the next run would. `npm run
 * bench:attach-kills -- 200`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../base/clock.js';
import { asset, program } from '../base/paths.js';
import { systemRandom } from '../base/random.js';
import { recover } from '../chaos/runner/recover.js';
import { kill, marked } from './marked.js';

const parts = ['runner', 'watcher', 'warden'] as const;
type Part = (typeof parts)[number];
const scripts = {
  watcher: program('chaos/system/attach/main'),
  warden: program('chaos/runner/warden'),
};
const limitMs = 10_000;

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

/** No process is left that would clean up, except that a surviving watcher rolls the fault back. */
const isAlone = (killed: readonly Part[]): boolean =>
  killed.includes('runner') && killed.includes('warden');

async function round(killed: readonly Part[]): Promise<{ seconds: number; left: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'attach-kills-'));
  cpSync(asset('test/chaos/fixtures/attach'), folder, { recursive: true });
  const shop = spawn(process.execPath, ['shop.mjs', '0'], { cwd: folder });
  const [port] = (await once(shop.stdout, 'data')) as [Buffer];
  const file = join(folder, 'firedrill.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('PORT', port.toString().trim()));
  const mark = `ATTACH_KILLS=${systemRandom.below(1e9)}`;
  const [name = '', value] = mark.split('=');
  const args = ['gameday', 'run', '--prometheus', 'embedded', '--load', 'embedded'];
  const runner: ChildProcess = spawn(process.execPath, [program('cli'), ...args], {
    cwd: folder,
    stdio: 'ignore',
    env: { ...process.env, XDG_STATE_HOME: folder, TMPDIR: folder, [name]: value },
  });
  const journals = (): number => {
    const at = join(folder, '.firedrill', 'journal');
    return existsSync(at) ? readdirSync(at).length : 0;
  };
  const broken = (): boolean => existsSync(join(folder, 'broken'));
  // A random moment from before the fault is injected to after it is active.
  for (let i = 0; i < 600 && journals() === 0; i++) await sleep(50);
  await sleep(1000);
  if (systemRandom.below(4) > 0) {
    for (let i = 0; i < 600 && !broken(); i++) await sleep(20);
  }
  await sleep(systemRandom.below(1200));
  const pids = marked(mark);
  for (const part of killed) {
    const pid =
      part === 'runner' ? runner.pid : pids.find((p) => commandOf(p).includes(scripts[part]));
    if (pid !== undefined) kill(pid);
  }
  if (!killed.includes('runner')) {
    await sleep(500);
    runner.kill('SIGINT');
    await Promise.race([once(runner, 'exit'), sleep(30_000)]);
  }
  const from = performance.now();
  if (isAlone(killed)) {
    if (!killed.includes('watcher')) {
      while (broken() && performance.now() - from < limitMs) await sleep(100);
      if (broken()) return { seconds: limitMs / 1000, left: 'the fault' };
    }
    await sleep(500);
    await recover(join(folder, '.firedrill'));
  }
  const look = (): string =>
    [broken() && 'the fault', journals() > 0 && 'a journal', marked(mark).length > 0 && 'a process']
      .filter((text) => text !== false)
      .join(', ');
  while (look() !== '' && performance.now() - from < limitMs) await sleep(100);
  const outcome = { seconds: (performance.now() - from) / 1000, left: look() };
  for (const pid of marked(mark)) kill(pid);
  shop.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  return outcome;
}

const kinds: Part[][] = [
  ...parts.map((part) => [part]),
  ...parts.flatMap((a, i) => parts.slice(i + 1).map((b) => [a, b])),
  [...parts],
];
const count = Number(process.argv[2] ?? 14);
const rows = new Map(kinds.map((kind) => [kind, { rounds: 0, clean: 0, slowest: 0, left: '' }]));
for (let i = 0; i < count; i++) {
  const kind = kinds[i % kinds.length] as Part[];
  const row = rows.get(kind) as { rounds: number; clean: number; slowest: number; left: string };
  const { seconds, left } = await round(kind);
  row.rounds++;
  if (left === '') row.clean++;
  else row.left = left;
  row.slowest = Math.max(row.slowest, seconds);
  process.stdout.write(`${i + 1}: ${kind.join(' and ')}: ${left || `${seconds.toFixed(1)} s`}\n`);
}
const total = [...rows.values()];
const lines = kinds.flatMap((kind) => {
  const row = rows.get(kind);
  if (!row || row.rounds === 0) return [];
  const who = `${kind.join(' and ')}${isAlone(kind) ? ', then gameday recover' : ''}`;
  return `| ${who} | ${row.rounds} | ${row.clean} | ${row.slowest.toFixed(1)} s | ${row.left} |`;
});
const clean = total.reduce((n, r) => n + r.clean, 0);
writeFileSync(
  asset('bench/results/attach-kills.md'),
  `# What is left when the parts of a drill of what already runs are killed

${count} rounds (\`npm run bench:attach-kills -- ${count}\`), each a game day of a service that ran before, broken by
a command. SIGKILL comes at a random moment, a quarter of the time before the fault is on. Left means, ten seconds
later: the fault, a process of the drill, or a journal. In ${clean} of ${count} rounds nothing was left.

| killed | rounds | nothing left | slowest | left |
| --- | ---: | ---: | ---: | --- |
${lines.join('\n')}
`,
);
