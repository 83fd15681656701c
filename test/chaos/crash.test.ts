/** However a drill ends, no process, no fault and no folder is left. Uses real processes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  descendants,
  type Drill,
  drillFolder,
  failingPayment,
  faultAnnounced,
  firedrill,
  isRunning,
  journals,
  until,
} from './drill.js';

const limitMs = 120_000;

const begin = (folder: string, scenario = failingPayment): Drill => {
  const kinds = ['--prometheus', 'embedded', '--load', 'embedded'];
  return firedrill(folder, 'gameday', 'run', '--scenarios', scenario, ...kinds);
};

/** Waits for a page that never comes, so that the fault stays active until something ends it. */
function longScenario(folder: string): string {
  const text = readFileSync(failingPayment, 'utf8')
    .replace('atMost: 20m', 'atMost: 600m')
    .replace(/alert: PaymentAvailability\n.*labels: .*\n/, 'alert: MeshControlPlaneDown\n')
    .replace('theory: slo', 'theory: none');
  const file = join(folder, 'long.yaml');
  writeFileSync(file, text);
  return file;
}

/** Processes of a drill with an active fault, and the shop's folder. */
async function inMidFault(drill: Drill): Promise<{ pids: number[]; shop: string }> {
  await until(() => faultAnnounced(drill.folder), 60_000, `a fault: ${drill.output()}`);
  const pids = descendants(drill.child.pid!);
  // The shop, its controller, six services, six sidecars, the load.
  expect(pids.length).toBeGreaterThanOrEqual(15);
  const text = readFileSync(journals(drill.folder)[0]!, 'utf8');
  const shop = /"kind":"folder".*?"path":"([^"]+)"/.exec(text)?.[1] ?? '';
  expect(existsSync(shop)).toBe(true);
  return { pids, shop };
}

const allGone = (pids: number[]): boolean => !pids.some(isRunning);

describe('X3: in mid-fault', () => {
  test(
    'kill -9 of the runner leaves nothing within ten seconds: no process, no folder, no journal',
    async () => {
      const folder = drillFolder();
      const drill = begin(folder, longScenario(folder));
      const { pids, shop } = await inMidFault(drill);
      drill.child.kill('SIGKILL');
      const gone = (): boolean => allGone(pids) && journals(folder).length === 0;
      await until(gone, 10_000, 'every process notices, and the warden removes the rest');
      expect(existsSync(shop)).toBe(false);
      expect((await firedrill(folder, 'gameday', 'recover').ended).output).toBe(
        'nothing to recover\n',
      );
    },
    limitMs,
  );

  test(
    'kill -9 of the supervisor ends the day: no further scenario waits for a system that is gone',
    async () => {
      const folder = drillFolder();
      const drill = begin(folder, `${longScenario(folder)},slow-dependency`);
      const { pids } = await inMidFault(drill);
      const journal = readFileSync(journals(folder)[0]!, 'utf8').split('\n');
      const line = journal.find((l) => l.includes('the supervisor of')) ?? '';
      process.kill(Number(/"pid":(\d+)/.exec(line)?.[1]), 'SIGKILL');
      const { code, output } = await drill.ended;
      expect([code, output]).toEqual([4, expect.stringContaining('ended by itself')]);
      const [first, second] = drill.record().scenarios;
      expect(second?.reasons[0]).toBe(first?.reasons[0]);
      // Certificates alone were awaited for a minute.
      expect(second!.startedMs - first!.endedMs).toBeLessThan(30_000);
      expect([allGone(pids), journals(folder)]).toEqual([true, []]);
    },
    limitMs,
  );

  test(
    'Ctrl-C takes the fault back, stops every process, says so, and ends with 130',
    async () => {
      const folder = drillFolder();
      const drill = begin(folder, longScenario(folder));
      const { pids, shop } = await inMidFault(drill);
      drill.child.kill('SIGINT');
      const { code, output } = await drill.ended;
      expect([code, output]).toEqual([130, expect.stringContaining('every fault was rolled back')]);
      expect(allGone(pids)).toBe(true);
      expect([journals(folder), existsSync(shop)]).toEqual([[], false]);
      const record = drill.record();
      expect(record.verdict).toBe('ABORTED');
      expect(record.scenarios[0]?.faults[0]).toMatchObject({ id: 'failing', undo: 'done' });
    },
    limitMs,
  );

  test(
    'the kill switch ends the run, and blocks the next one until it is cleared',
    async () => {
      const folder = drillFolder();
      const drill = begin(folder, longScenario(folder));
      const { pids } = await inMidFault(drill);
      await firedrill(folder, 'gameday', 'stop', '--reason', 'a real incident').ended;
      const { code, output } = await drill.ended;
      expect([code, output]).toEqual([
        4,
        expect.stringContaining('stopped by the kill switch: a real incident'),
      ]);
      expect(allGone(pids)).toBe(true);
      expect(drill.record().scenarios[0]).toMatchObject({
        verdict: 'ABORTED',
        rollback: { done: true, residue: [] },
      });

      const blocked = await begin(folder).ended;
      expect([blocked.code, blocked.output]).toEqual([
        4,
        expect.stringContaining(
          'the kill switch is thrown (a real incident): firedrill gameday stop --clear\n',
        ),
      ]);
      const cleared = await firedrill(folder, 'gameday', 'stop', '--clear').ended;
      expect(cleared.output).toBe('cleared: runs may begin\n');
    },
    limitMs,
  );
});

describe('a folder that cannot be written is found out before anything is started, with 5', () => {
  test.each([
    ['--out', 'file', 'the folder of the report file cannot be written: it is not a folder'],
    ['--out', 'file/below', 'the folder of the report file/below cannot be written: ENOTDIR'],
    ['--state', '/proc/nope', 'the state folder /proc/nope cannot be written: ENOENT'],
    ['--junit', '/proc/nope/j.xml', 'the folder of the JUnit file /proc/nope cannot be written'],
  ])('%s %s', async (flag, path, message) => {
    const folder = drillFolder();
    writeFileSync(join(folder, 'file'), '');
    const { code, output } = await firedrill(folder, 'gameday', 'run', flag, path).ended;
    expect([code, output]).toEqual([5, expect.stringContaining(message)]);
    expect(existsSync(join(folder, 'gameday-report'))).toBe(false);
  });
});

test(
  'coverage that cannot be kept is told, and the report of the day is there all the same',
  async () => {
    const folder = drillFolder();
    const kept = join(folder, '.firedrill', 'coverage.json');
    mkdirSync(kept, { recursive: true });
    const drill = begin(folder);
    const { output } = await drill.ended;
    expect(output).toMatch(
      /the alert coverage is not kept in \.firedrill: .*(EISDIR|coverage\.json)/,
    );
    expect(drill.record().coverage?.length).toBeGreaterThan(0);
    expect(existsSync(join(folder, 'gameday-report', 'index.html'))).toBe(true);
  },
  limitMs,
);

describe('bad input ends with 2 before anything is started', () => {
  test.each([
    [['--time-scale', '2'], "bad time scale '2'; expected a fraction above 0"],
    [['--scenarios', 'nonsense'], "no scenario 'nonsense'; expected a file, one of the drill ("],
    [['--load', 'wrk'], '--load wrk; expected one of auto, embedded, k6'],
    [['--rate', 'many'], "bad --rate 'many'; expected 0.1 to 10000"],
    [['-i', 'nowhere.yaml'], 'nowhere.yaml'],
  ])('%s', async (args, message) => {
    const folder = drillFolder();
    const { code, output } = await firedrill(folder, 'gameday', 'run', ...args).ended;
    expect([code, output]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(join(folder, 'gameday-report'))).toBe(false);
  });
});
