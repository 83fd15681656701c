/** Drills of running systems, by commands and by a toxiproxy; the undo runs whichever process dies during the drill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { asset, program } from '../../base/paths.js';
import { Journal } from '../../chaos/runner/journal.js';
import { recover } from '../../chaos/runner/recover.js';
import { readDrill } from '../../chaos/system/drill-file.js';
import {
  descendants,
  type Drill,
  drillFolder,
  firedrill,
  isRunning,
  journals,
  until,
} from './drill.js';

const limitMs = 120_000;
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** The folder of a running shop; `to` replaces `from` in its file. */
async function shop(from = '', to = ''): Promise<string> {
  const folder = drillFolder();
  cpSync(asset('test/chaos/fixtures/attach'), folder, { recursive: true });
  const child = spawn(process.execPath, ['shop.mjs', '0'], { cwd: folder });
  running.push(child);
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const file = join(folder, 'firedrill.yaml');
  const text = readFileSync(file, 'utf8').replaceAll('PORT', port.toString().trim());
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
  return folder;
}

const run = (folder: string): Drill =>
  firedrill(folder, 'gameday', 'run', '--prometheus', 'embedded', '--load', 'embedded');

/** A process that dies with a killed parent may be gone already. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const broken = (folder: string): boolean => existsSync(join(folder, 'broken'));

test(
  'a command breaks it, its page comes, and the undo puts it back',
  async () => {
    const folder = await shop();
    const drill = run(folder);
    const { code, output } = await drill.ended;
    const [scenario] = drill.record().scenarios;
    expect([output, code]).toEqual([expect.stringContaining('shop: 1 workload'), 0]);
    expect(scenario?.faults[0]).toMatchObject({
      kind: 'command',
      target: 'broken',
      effect: 1,
      effectUnit: 'times confirmed',
      undo: 'done',
    });
    expect(scenario?.expectations[0]).toMatchObject({ name: 'ShopErrors', inTime: true });
    expect([broken(folder), journals(folder)]).toEqual([false, []]);
  },
  limitMs,
);

test(
  'kill -9 of the runner, its warden and the watcher in mid-fault: the next one to look undoes it',
  async () => {
    const folder = await shop();
    const drill = run(folder);
    await until(() => broken(folder), 60_000, `broken: ${drill.output()}`);
    const pids = descendants(drill.child.pid!);
    for (const pid of [drill.child.pid!, ...pids]) kill(pid);
    await drill.ended;
    await until(() => !pids.some(isRunning), 10_000, 'all are gone');
    expect(broken(folder)).toBe(true);
    const recoveries = await recover(join(folder, '.firedrill'));
    expect(recoveries.map((r) => [r.done[0], r.failed])).toEqual([
      ['command at broken was undone', []],
    ]);
    expect([broken(folder), journals(folder)]).toEqual([false, []]);
  },
  limitMs,
);

test(
  'a system that does not come back is told by its failures, however busy the machine is',
  async () => {
    const folder = await shop();
    const file = join(folder, 'broken.yaml');
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .replace('recovery: 60m', 'recovery: 20m')
        .replace('resolveWithin: 60m', 'resolveWithin: 20m'),
    );
    const drill = run(folder);
    await until(() => broken(folder), 60_000, `broken: ${drill.output()}`);
    for (const child of running) child.kill('SIGKILL');
    const { code, output } = await drill.ended;
    expect([output, code]).toEqual([
      expect.stringMatching(
        /after the rollback: \d+ of \d+ requests failed: \d+ times no answer at/,
      ),
      1,
    ]);
    expect(output).toMatch(/after the rollback: shop: its metrics at 127\.0\.0\.1:\d+ cannot be/);
  },
  limitMs,
);

test(
  'an alert that resolves because its metrics vanished is not over',
  async () => {
    const folder = await shop();
    const drill = run(folder);
    await until(() => broken(folder), 60_000, `broken: ${drill.output()}`);
    const events = join(folder, 'gameday-report', 'events.jsonl');
    const isTold = (): boolean => readFileSync(events, 'utf8').includes('"state":"notified"');
    await until(isTold, 60_000, 'the page');
    writeFileSync(join(folder, 'unmeasured'), '');
    const { code, output } = await drill.ended;
    expect([output, code]).toEqual([
      expect.stringContaining(
        'ShopErrors (page) resolved because its data ended (no series shop_requests_total)',
      ),
      3,
    ]);
  },
  limitMs,
);

test(
  'an alert that an earlier scenario made fire: why it does not fire in this one is still found',
  async () => {
    const folder = await shop(
      'faults:',
      `faults:
    unmeasured:
      inject: { command: [touch, unmeasured] }
      confirm: { command: [test, -e, unmeasured] }
      undo: { command: [rm, -f, unmeasured] }`,
    );
    const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const blind = '  - { id: blind, kind: command, target: unmeasured }\n  - { id: down';
    const second = read('broken.yaml')
      .replace('id: broken', 'id: blind')
      .replace('  - { id: down', blind);
    writeFileSync(join(folder, 'blind.yaml'), second);
    const drill = firedrill(
      folder,
      'gameday',
      'run',
      'broken.yaml',
      'blind.yaml',
      '--prometheus',
      'embedded',
    );
    const { output } = await drill.ended;
    expect(drill.record().scenarios[0]?.expectations[0]?.inTime).toBe(true);
    expect(output).toContain('its data ended under the fault (no series shop_requests_total)');
  },
  limitMs,
);

test.each(['the runner', 'the watcher'])(
  'kill -9 of %s alone in mid-fault: it is undone within ten seconds',
  async (who) => {
    const folder = await shop();
    const drill = run(folder);
    await until(() => broken(folder), 60_000, `broken: ${drill.output()}`);
    const pids = descendants(drill.child.pid!);
    const isWatcher = (pid: number): boolean =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program('chaos/system/attach/main'));
    const victim = who === 'the runner' ? drill.child.pid! : pids.find(isWatcher)!;
    process.kill(victim, 'SIGKILL');
    await until(() => !broken(folder), 10_000, 'it is undone');
    await drill.ended;
    await until(() => journals(folder).length === 0, 20_000, 'the journal is gone');
    await until(() => !pids.some(isRunning), 10_000, 'every process is gone');
  },
  limitMs,
);

test.each([
  ['      undo: { command: [rm, -f, broken], within: 5s }\n', '', /yaml:\d+:\d+: .*no undo: what/],
  ['within: 5s }\n      confirm', 'within: 2h }\n      confirm', /at most 1m/],
  ['  url: http', '  # url: http', /yaml:\d+:\d+: there is no url to send the load to/],
  ['  faults:', '  calls: { db: {} }\n  faults:', /expected either relay or toxiproxy/],
])('refused before anything is touched: %s', async (from, to, message) => {
  const folder = await shop(from, to);
  expect(() => readDrill(join(folder, 'firedrill.yaml'))).toThrow(message);
});

test.each([
  [
    '[touch, broken]',
    '[sh, -c, "touch broken; exit 3"]',
    'down could not be injected: .*broken: inject failed: exit code 3',
  ],
  [
    '[test, -e, broken]',
    "['true']",
    'down could not be injected: .*confirm succeeds before anything is injected',
  ],
  [
    '[touch, broken]',
    "['true']",
    'down had no effect on broken: .*it was injected, and nothing confirms it: exit code 1',
  ],
  [
    '[touch, broken], within: 5s',
    '"touch broken; (sleep 1; rm broken) >/dev/null 2>&1 &"',
    'down was over before it was rolled back: it ended by itself: its confirm no longer succeeds',
  ],
])(
  'a command that lies is named, and undone: %s',
  async (from, to, message) => {
    const folder = await shop(from, to);
    const drill = run(folder);
    const { code, output } = await drill.ended;
    expect([code, output]).toEqual([3, expect.stringMatching(message)]);
    expect([broken(folder), journals(folder)]).toEqual([false, []]);
  },
  limitMs,
);

test(
  'Ctrl-C where an undo fails: what is left is told, and not that all was rolled back',
  async () => {
    const folder = await shop('[rm, -f, broken]', "['false']");
    const drill = run(folder);
    await until(() => broken(folder), 60_000, `broken: ${drill.output()}`);
    drill.child.kill('SIGINT');
    const { code, output } = await drill.ended;
    expect(code).toBe(130);
    expect(output).toMatch(
      /interrupted: every process was stopped, and this is left: down at broken: /,
    );
    expect(output).not.toContain('every fault was rolled back');
    expect(journals(folder)).toHaveLength(1);
  },
  limitMs,
);

test('an undo that fails keeps the journal, and says why', async () => {
  const folder = drillFolder();
  const state = join(folder, '.firedrill');
  const journal = new Journal(state, 'one', () => 1);
  const undo = (argv: string[]) => ({ argv, folder, limitMs: 5000, confirm: ['false'] });
  const url = 'http://127.0.0.1:1/faults/x';
  journal.intent('command', 'a', url, {
    kind: 'command',
    ...undo(['sh', '-c', 'echo no >&2; exit 4']),
  });
  const text = readFileSync(journal.file, 'utf8').replace(/"pid":\d+/, '"pid":999999999');
  writeFileSync(journal.file, text);
  const [recovery] = await recover(state);
  expect(recovery?.failed).toEqual(['command at a: its undo failed: exit code 4: no']);
  writeFileSync(journal.file, text.replace('exit 4', 'exit 0'));
  const [again] = await recover(state);
  expect([again?.failed, journals(folder)]).toEqual([[], []]);
});
