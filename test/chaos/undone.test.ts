/** Faults of processes that somebody undoes, or that strike nobody: each says so, while its lease goes on. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../base/clock.js';
import { freePorts } from '../../base/ports.js';
import { groupRoot, type GroupRoot } from '../../chaos/faults/control-group.js';
import { diskSeenBy, emptyDisk, inMountNamespace, whyNoDisk } from '../../chaos/faults/disk.js';
import { whyNoLimit } from '../../chaos/faults/process-fault.js';
import { ProcessFaults } from '../../chaos/system/processes/process-faults.js';
import { type ProcessDescription, Processes } from '../../chaos/system/processes/processes.js';
import { strayMark } from '../../chaos/system/processes/strays.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-undone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

const serve = (port: number): string =>
  `require('net').createServer(() => 0).listen(${port}, '127.0.0.1', () => console.log('there'))`;

async function rig(disk = false) {
  const [port] = (await freePorts(1)) as [number];
  const processes = new Processes(() => undefined);
  endings.push(() => processes.close());
  const data = mkdtempSync(join(folder, 'data-'));
  const argv = [process.execPath, '-e', serve(port)];
  const description: ProcessDescription = {
    name: 'api',
    kind: 'service',
    workload: 'api',
    program: {
      command: disk ? inMountNamespace(argv, { disk: { folder: data, bytes: 1_048_576 } }) : argv,
      cwd: folder,
      env: {},
      mark: strayMark(data, 'api'),
      ready: { kind: 'tcp', port },
      readyLimitMs: 30_000,
      stop: { signal: 'SIGTERM', withinMs: 2000 },
    },
  };
  await processes.start(description);
  const clock = new SimulatedClock();
  const written: object[] = [];
  const faults = new ProcessFaults(processes, clock, {
    disks: new Map([['api', data]]),
    writeRegistry: (set) => written.push(set) > 0 && Object.keys(set).length > 1,
  });
  endings.push(() => faults.close());
  const put = (kind: string, settings: object = {}) =>
    faults.put({ id: 'one', ttlMs: 60_000, target: 'api', kind, ...settings });
  /** The trouble after the looks of a second. */
  const trouble = async (): Promise<string | undefined> => {
    clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return faults.list()[0]?.trouble;
  };
  const pid = (): number => processes.pidOf('api') as number;
  return { processes, faults, port, data, put, trouble, pid };
}

test('a killed service that somebody starts again', async () => {
  const { put, trouble, processes, faults } = await rig();
  expect(await put('kill')).toMatchObject({ effect: 1 });
  expect(await trouble()).toBeUndefined();
  await processes.startAgain('api');
  expect(await trouble()).toBe('api runs again: somebody started it');
  expect(await faults.leases.remove('one')).toBe(true);
});

test('a killed service whose port another program answers', async () => {
  const { put, trouble, port, processes } = await rig();
  await put('kill');
  const other = spawn(process.execPath, ['-e', serve(port)]);
  endings.push(() => other.kill('SIGKILL'));
  await once(other.stdout, 'data');
  await expect
    .poll(trouble)
    .toBe(`its callers are still answered: another process listens at 127.0.0.1:${port}`);
  expect(processes.pidOf('api')).toBeUndefined();
});

test.each(['kill', 'pause'])('%s of a service that does not run', async (kind) => {
  const { put, processes } = await rig();
  await processes.kill('api');
  expect(await put(kind)).toMatchObject({ effect: 0, trouble: 'api does not run' });
});

test.runIf(process.platform === 'linux')('a paused service that goes on', async () => {
  const { put, trouble, pid } = await rig();
  expect(await put('pause')).toMatchObject({ effect: 1 });
  expect(await trouble()).toBeUndefined();
  process.kill(pid(), 'SIGCONT');
  await expect.poll(trouble).toBe('api goes on: somebody sent it SIGCONT');
});

test.runIf(whyNoLimit('open-files') === undefined)(
  'a limit of open files that somebody changes, or that ended with its process',
  async () => {
    const raised = await rig();
    await raised.put('open-files');
    expect(await raised.trouble()).toBeUndefined();
    execFileSync('prlimit', ['--pid', String(raised.pid()), '--nofile=500:']);
    expect(await raised.trouble()).toBe('its limit of open files was changed by somebody else');
    const ended = await rig();
    await ended.put('open-files');
    await ended.processes.kill('api');
    expect(await ended.trouble()).toBe('the limited process has ended');
  },
);

const others = {
  cpu: { 1: ['cpu.cfs_quota_us', '-1'], 2: ['cpu.max', 'max'] },
  memory: { 1: ['memory.limit_in_bytes', '400000000'], 2: ['memory.max', 'max'] },
} as const;
test.runIf(whyNoLimit('cpu') === undefined && whyNoLimit('memory') === undefined).each([
  ['cpu', { cores: 0.5 }],
  ['memory', { moreBytes: 500_000_000 }],
] as const)('a limit of %s that somebody changes', async (kind, settings) => {
  const { put, trouble } = await rig();
  await put(kind, settings);
  expect(await trouble()).toBeUndefined();
  const { version, folder: parent } = groupRoot(kind) as GroupRoot;
  const [file, text] = others[kind][version];
  writeFileSync(join(parent, 'firedrill-one', file), text);
  expect(await trouble()).toBe('its control group was changed or removed by somebody else');
});

test.runIf(whyNoDisk() === undefined)('a full disk that somebody empties', async () => {
  const { put, trouble, pid, data } = await rig(true);
  expect(await put('disk-full')).toMatchObject({ effect: 1 });
  expect(await trouble()).toBeUndefined();
  emptyDisk(diskSeenBy(pid(), data));
  expect(await trouble()).toBe('the disk of api was emptied by somebody else, or is a new one');
});

test.each([
  [{ retries: 'budget' }, { effect: 0, trouble: 'the registry is as it was before' }],
  [{ retries: 'budget', budgetSeconds: 2 }, { effect: 1 }],
])('a registry with %j', async (set, expected) => {
  const { put } = await rig();
  const lease = await put('registry', { set });
  expect(lease).toMatchObject(expected);
});
