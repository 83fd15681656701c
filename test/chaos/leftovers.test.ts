/** Processes that a run left behind: known by their start or their group, and ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { startTicksOf } from '../../chaos/runner/journal.js';
import { endLeftovers, isLeft, type Leftover } from '../../chaos/runner/leftovers.js';

const started: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      process.kill(-pid!, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

/** A shell in its own group, once it has said that it runs. */
async function shell(script: string): Promise<{ child: ChildProcess; left: Leftover }> {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  await once(child.stdout!, 'data');
  const pid = child.pid!;
  return { child, left: { pid, startTicks: startTicksOf(pid), name: 'shop' } };
}

const isRunning = (pid: number): boolean => startTicksOf(pid) !== undefined;

test('a process is left while it runs, and another with its id is not it', async () => {
  const { left } = await shell('echo ready; exec sleep 60');
  expect(isLeft(left)).toBe(true);
  expect(isLeft({ ...left, startTicks: '1' })).toBe(false);
  expect(isLeft({ ...left, startTicks: '1', group: true })).toBe(false);
  const { ended, left: still } = await endLeftovers([{ ...left, startTicks: '1' }, left], 1000);
  expect([ended, still]).toEqual([[left], []]);
  expect(isLeft(left)).toBe(false);
});

test('a group is left while one of it runs, though its leader has ended', async () => {
  const { child, left } = await shell('sleep 60 & echo $!');
  if (child.exitCode === null) await once(child, 'exit');
  expect(isLeft(left)).toBe(false);
  const group = { ...left, group: true };
  expect(isLeft(group)).toBe(true);
  expect(await endLeftovers([group], 1000)).toEqual({ ended: [group], left: [] });
  expect(isLeft(group)).toBe(false);
});

test('the members of a group get the signal too', async () => {
  const child = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const member = Number(line.toString());
  const pid = child.pid!;
  const group = { pid, startTicks: startTicksOf(pid), name: 'shop', group: true };
  expect((await endLeftovers([group], 1000)).left).toEqual([]);
  expect(isRunning(member)).toBe(false);
});

test('one that ignores SIGTERM is killed after its grace, one that is stopped goes on to end', async () => {
  const stubborn = await shell("trap '' TERM; echo ready; while :; do sleep 60; done");
  const stopped = await shell('echo ready; exec sleep 60');
  process.kill(stopped.left.pid, 'SIGSTOP');
  const both = [stubborn.left, stopped.left];
  const killed = once(stubborn.child, 'exit');
  const ended = once(stopped.child, 'exit');
  expect(await endLeftovers(both, 150)).toEqual({ ended: both, left: [] });
  expect([await killed, await ended]).toEqual([
    [null, 'SIGKILL'],
    [null, 'SIGTERM'],
  ]);
});

test('where nothing is left, nothing is ended', async () => {
  expect(await endLeftovers([], 1000)).toEqual({ ended: [], left: [] });
});
