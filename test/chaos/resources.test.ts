/** Faults of resources on real processes: each by its effect, and nothing is left once it is rolled back. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { realClock } from '../../base/clock.js';
import { freePorts } from '../../base/ports.js';
import { ControlGroup, groupRoot, groupUndo } from '../../chaos/faults/control-group.js';
import { diskSeenBy, freeBytes, inMountNamespace, whyNoDisk } from '../../chaos/faults/disk.js';
import { whyNoLimit } from '../../chaos/faults/process-fault.js';
import { runUndo, undoFor } from '../../chaos/faults/undo.js';
import { ProcessFaults } from '../../chaos/system/processes/process-faults.js';
import { type ProcessDescription, Processes } from '../../chaos/system/processes/processes.js';
import { strayMark } from '../../chaos/system/processes/strays.js';

const folder = mkdtempSync(join(tmpdir(), 'firedrill-resources-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end();
});

/** `/files` opens this many, `/memory` takes megabytes, `/spin` counts, `/write` writes. */
const service = (port: number, data: string): string => `
  const fs = require('fs'), held = [];
  require('http').createServer((q, s) => {
    const url = new URL(q.url, 'http://x'), n = Number(url.searchParams.get('n'));
    const say = (text) => s.end(String(text));
    try {
      if (url.pathname === '/files') {
        for (let i = 0; i < n; i++) held.push(fs.openSync('/dev/null'));
        say('opened');
      }
      else if (url.pathname === '/memory') { held.push(Buffer.alloc(n * 1048576, 1)); say('taken'); }
      else if (url.pathname === '/write') { fs.writeFileSync('${data}/x', Buffer.alloc(n)); say('written'); }
      else if (url.pathname === '/spin') {
        let c = 0;
        for (const end = Date.now() + n; Date.now() < end; ) c++;
        say(c);
      }
      else say('ok');
    } catch (error) { say(error.code); }
  }).listen(${port}, '127.0.0.1');`;

interface Rig {
  processes: Processes;
  faults: ProcessFaults;
  ask(path: string): Promise<string>;
}

async function rig(disk = false): Promise<Rig> {
  const [port] = (await freePorts(1)) as [number];
  const processes = new Processes(() => undefined);
  endings.push(() => processes.close());
  const data = mkdtempSync(join(folder, 'data-'));
  const argv = [process.execPath, '-e', service(port, data)];
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
  const disks = new Map(disk ? [['api', data]] : []);
  const faults = new ProcessFaults(processes, realClock, { disks });
  endings.push(() => faults.close());
  const ask = (path: string): Promise<string> =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.text(),
      () => 'nobody answers',
    );
  return { processes, faults, ask };
}

const lease = { id: 'one', ttlMs: 60_000, target: 'api' };
const effectOf = ({ faults }: Rig): number => faults.leases.list()[0]?.effect ?? 0;

test.runIf(whyNoLimit('open-files') === undefined)(
  'open files: so many more and then none, found at its limit, and as many as before afterwards',
  async () => {
    const own = await rig();
    await own.faults.put({ ...lease, kind: 'open-files', more: 10 });
    // The connection takes one descriptor; the requested files take the rest.
    expect(await own.ask('/files?n=30')).toBe('EMFILE');
    await expect.poll(() => effectOf(own)).toBeGreaterThan(0);
    await own.faults.leases.remove('one');
    expect(await own.ask('/files?n=30')).toBe('opened');
  },
);

test.runIf(whyNoLimit('cpu') === undefined)(
  'processor: a tenth of one does less, is counted, and the group is gone afterwards',
  async () => {
    const own = await rig();
    const before = Number(await own.ask('/spin?n=300'));
    await own.faults.put({ ...lease, kind: 'cpu', cores: 0.05 });
    const during = Number(await own.ask('/spin?n=300'));
    expect(during).toBeLessThan(before / 2);
    await expect.poll(() => effectOf(own)).toBeGreaterThan(0);
    const root = groupRoot('cpu') as { folder: string };
    expect(existsSync(join(root.folder, 'firedrill-one'))).toBe(true);
    await own.faults.leases.remove('one');
    expect(existsSync(join(root.folder, 'firedrill-one'))).toBe(false);
    expect(await own.ask('/')).toBe('ok');
  },
);

test.runIf(whyNoLimit('memory') === undefined)(
  'memory: the kernel kills what takes more, it is counted, and the process comes back',
  async () => {
    const own = await rig();
    await own.faults.put({ ...lease, kind: 'memory', moreBytes: 33_554_432 });
    expect(await own.ask('/memory?n=200')).toBe('nobody answers');
    await expect.poll(() => effectOf(own)).toBe(1);
    await expect.poll(() => own.processes.pidOf('api')).toBeUndefined();
    expect(own.processes.events.at(-1)).toMatchObject({
      event: 'exited',
      detail: expect.stringContaining('SIGKILL') as string,
    });
    await own.faults.leases.remove('one');
    expect(await own.ask('/memory?n=200')).toBe('taken');
  },
);

test.runIf(whyNoLimit('memory') === undefined)(
  'memory that a neighbour takes: the kernel kills a process that does not grow at all',
  async () => {
    const own = await rig();
    const fault = { ...lease, kind: 'memory', moreBytes: 16_777_216, fill: true };
    await own.faults.put(fault);
    await expect.poll(() => own.processes.pidOf('api')).toBeUndefined();
    // The kernel may count a dying victim again.
    await expect.poll(() => effectOf(own)).toBeGreaterThan(0);
    await own.faults.leases.remove('one');
    expect(await own.ask('/')).toBe('ok');
  },
);

test.runIf(whyNoDisk() === undefined)(
  'disk: full of nothing but our own file, seen by the service alone, and free again afterwards',
  async () => {
    const own = await rig(true);
    expect(await own.ask('/write?n=1000')).toBe('written');
    await own.faults.put({ ...lease, kind: 'disk-full' });
    expect(effectOf(own)).toBe(1);
    expect(await own.ask('/write?n=100000')).toBe('ENOSPC');
    await own.faults.leases.remove('one');
    expect(await own.ask('/write?n=100000')).toBe('written');
    // The machine does not see the disk, which disappears with the process.
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain('firedrill-disk');
    expect(freeBytes(diskSeenBy(own.processes.pidOf('api') as number, folder))).toBeGreaterThan(0);
  },
);

test('what was never put, or cannot be, is refused with its reason', async () => {
  const own = await rig();
  const bad: [object, RegExp][] = [
    [{ kind: 'disk-full' }, /no disk of its own/],
    [{ kind: 'nonsense' }, /unknown kind/],
    [{ kind: 'cpu', cores: -1 }, /bad cores|no control group/],
    [{ kind: 'open-files', more: 'x' }, /bad more|no prlimit/],
    [{ kind: 'kill', target: 'nobody' }, /no process 'nobody'/],
  ];
  for (const [fault, words] of bad) {
    await expect((async () => own.faults.put({ ...lease, ...fault }))()).rejects.toThrow(words);
  }
  expect(own.faults.leases.list()).toEqual([]);
});

test.runIf(whyNoLimit('memory') === undefined)(
  'the undo in the journal removes a group whose supervisor is gone, and may be done twice',
  async () => {
    const root = groupRoot('memory') as { folder: string; version: 1 | 2 };
    const struck = spawn('sleep', ['60']);
    endings.push(() => struck.kill());
    new ControlGroup(root, 'run/1').take([struck.pid as number]);
    const undo = undoFor(groupUndo('memory')!, 'run/1');
    await runUndo(undo, 'run/1');
    await runUndo(undo, 'run/1');
    expect(existsSync(join(root.folder, 'firedrill-run%2F1'))).toBe(false);
  },
);

describe('where control groups are told', () => {
  const files = (name: string, texts: Record<string, string>) => {
    const groups = join(folder, name);
    for (const [file, text] of Object.entries(texts)) {
      mkdirSync(join(groups, file, '..'), { recursive: true });
      writeFileSync(join(groups, file), text);
    }
    return { groups, proc: join(groups, 'proc') };
  };

  test('version 2, whose controllers are handed down', () => {
    const two = files('two', {
      'cgroup.controllers': 'cpu memory',
      'cgroup.subtree_control': 'cpu',
    });
    expect(groupRoot('cpu', two)).toEqual({ version: 2, folder: two.groups });
    expect(groupRoot('memory', two)).toEqual({ version: 2, folder: two.groups });
    expect(readFileSync(join(two.groups, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
  });

  test('version 1, below the group that we are in', () => {
    const one = files('one', {
      'proc/self/cgroup': '4:memory:/a/b\n1:cpu,cpuacct:/\n0::/',
      'memory/a/b/cgroup.procs': '',
    });
    expect(groupRoot('memory', one)).toEqual({
      version: 1,
      folder: join(one.groups, 'memory/a/b'),
    });
    expect(groupRoot('cpu', one)).toEqual({
      why: expect.stringContaining('is not there') as string,
    });
  });

  test('none', () => {
    expect(groupRoot('cpu', files('none', { 'proc/self/cgroup': '0::/' }))).toEqual({
      why: 'no control group of cpu can be made here: the kernel has none',
    });
  });
});
