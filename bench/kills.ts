/**
 * Kills the parts of a running drill at random, alone and in pairs, and checks ten seconds later for leftovers: a
 * process (found by a mark in its environment, whatever its parent is by then), a folder, a journal, a network link.
 * Needs root and Linux, for a service's own network. `npm run bench:kills -- 20` does 20 rounds; the table is
 * bench/results/kills.md.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
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
import { kill, marked } from './marked.js';

const parts = ['runner', 'supervisor', 'controller', 'sidecar', 'relay', 'network'] as const;
type Part = (typeof parts)[number];

const pattern: Record<Exclude<Part, 'runner'>, RegExp> = {
  supervisor: /"name":"the supervisor/,
  controller: /"name":"controller"/,
  sidecar: /"name":"\w+-proxy"/,
  relay: /"name":"[\w-]+-relay"/,
  network: /"name":"\w+-network"/,
};

interface Outcome {
  killed: Part[];
  /** Seconds until nothing was left; undefined: something is left after ten seconds. */
  seconds: number | undefined;
  left: string;
}

const limitMs = 10_000;
const startLimitMs = 90_000;

/** The two services behind mutual TLS, and a third behind a relay, in a network of its own. */
function drillFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kills-'));
  cpSync(asset('examples/systems/two-services'), folder, { recursive: true });
  const file = join(folder, 'firedrill.yaml');
  const echo = `require('net').createServer((s) => s.pipe(s)).listen(process.env.PORT, '127.0.0.1')`;
  const text = readFileSync(file, 'utf8')
    .replace('kind: processes', 'kind: processes\n  mesh: mtls')
    .replace(
      '{ back: { service: back } }',
      '{ back: { service: back }, cache: { service: cache } }',
    )
    .replace(
      '  entry: front',
      `    cache:\n      command: [node, -e, "${echo}"]\n      env: { PORT: '\${ports.tcp}' }\n` +
        `      ports: { tcp: auto }\n      protocol: tcp\n      network: own\n  entry: front`,
    );
  writeFileSync(file, text);
  return folder;
}

async function round(killed: Part[]): Promise<Outcome> {
  const folder = drillFolder();
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  const mark = `FIREDRILL_KILLS=${systemRandom.below(1e9)}`;
  const [name = '', value] = mark.split('=');
  const args = ['--scenarios', 'scenarios/back-slow.yaml', '--prometheus', 'embedded'];
  const runner = spawn(
    process.execPath,
    [program('cli'), 'gameday', 'run', ...args, '--load', 'embedded'],
    {
      cwd: folder,
      stdio: 'ignore',
      env: { ...process.env, TMPDIR: temporary, XDG_STATE_HOME: temporary, [name]: value },
    },
  );
  const exited = new Promise<void>((resolve) => runner.on('exit', () => resolve()));
  const journal = (): string => {
    const at = join(folder, '.firedrill', 'journal');
    const [file] = existsSync(at) ? readdirSync(at) : [];
    return file === undefined ? '' : readFileSync(join(at, file), 'utf8');
  };
  const end = performance.now() + startLimitMs;
  while (!journal().includes('"kind":"intent"') && performance.now() < end) await sleep(100);
  const lines = journal().split('\n');
  const pidOf = (part: Part): number | undefined =>
    part === 'runner'
      ? runner.pid
      : Number(/"pid":(\d+)/.exec(lines.find((l) => pattern[part].test(l)) ?? '')?.[1]) ||
        undefined;
  await sleep(systemRandom.below(1500));
  const pids = killed.map(pidOf);
  const supervisor = pidOf('supervisor');
  for (const pid of pids) if (pid !== undefined) kill(pid);
  // A surviving runner is asked to end, as by Ctrl-C: nothing may be left after that.
  if (!killed.includes('runner')) {
    await sleep(1000);
    runner.kill('SIGINT');
    await Promise.race([exited, sleep(30_000)]);
  }
  const from = performance.now();
  const look = (): string => {
    const processes = marked(mark).length;
    const folders = readdirSync(temporary).filter((n) => n.startsWith('firedrill-')).length;
    const journals = journal() === '' ? 0 : 1;
    const links = readdirSync('/sys/class/net').filter((n) => n.startsWith(`fd${supervisor}-`));
    const found = [
      `${processes} processes`,
      `${folders} folders`,
      `${journals} journals`,
      `${links.length} links`,
    ];
    return found.filter((text) => !text.startsWith('0')).join(', ');
  };
  let left = look();
  while (left !== '' && performance.now() - from < limitMs) {
    await sleep(100);
    left = look();
  }
  const missing = pids.includes(undefined) ? 'a part was not found; ' : '';
  const seconds = (performance.now() - from) / 1000;
  for (const pid of marked(mark)) kill(pid);
  rmSync(folder, { recursive: true, force: true });
  return { killed, seconds: left === '' ? seconds : undefined, left: missing + left };
}

const count = Number(process.argv[2] ?? 15);
const alone: Part[][] = parts.map((part) => [part]);
const pairs: Part[][] = parts.flatMap((a, i) => parts.slice(i + 1).map((b) => [a, b]));
const all = [...alone, ...pairs];
const outcomes: Outcome[] = [];
for (let i = 0; i < count; i++) {
  const outcome = await round(all[i % all.length] as Part[]);
  outcomes.push(outcome);
  const what = outcome.killed.join(' and ');
  const said =
    outcome.left === '' ? `nothing after ${outcome.seconds?.toFixed(1)} s` : outcome.left;
  process.stdout.write(`${i + 1}: ${what}: ${said}\n`);
}
const rows = all.flatMap((killed) => {
  const own = outcomes.filter((o) => o.killed.join() === killed.join());
  if (own.length === 0) return [];
  const clean = own.filter((o) => o.left === '');
  const slowest = Math.max(...own.map((o) => o.seconds ?? 10));
  return [
    `| ${killed.join(' and ')} | ${own.length} | ${clean.length} | ${slowest.toFixed(1)} s |`,
  ];
});
const clean = outcomes.filter((o) => o.left === '').length;
writeFileSync(
  asset('bench/results/kills.md'),
  `# What is left when the parts of a drill are killed

Two services behind mutual TLS, one behind a relay in a network of its own, under load, a fault on; SIGKILL at a
random moment of it (\`npm run bench:kills -- ${count}\`). Left means, ten seconds later: a process with the drill's
mark in its environment, a temporary folder, a journal, a link of the network. Where the runner was not killed it was
asked to end, as by Ctrl-C, a second later, and the time counts from its end.
${clean} of ${outcomes.length}: nothing was left.

| killed | times | nothing left | slowest |
| --- | ---: | ---: | ---: |
${rows.join('\n')}
`,
);
