/** C7: the lease in a file: one leader at a time, and always one in the end. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { FileLease } from '../../../mesh/controller/lease.js';
import { folder } from './bench-mesh.js';

const durationMs = 9000;
let file: string;
let clock: SimulatedClock;
beforeEach(() => {
  file = join(folder(), 'lease');
  clock = new SimulatedClock(1_000_000);
});

const lease = (replica: string): FileLease => new FileLease({ file, replica, durationMs, clock });

test('the first leads, and the second when the first stops', async () => {
  const [first, second] = [lease('a'), lease('b')];
  clock.advance(60_000);
  expect([first.leading(), second.leading()]).toEqual([true, false]);
  await first.stop();
  clock.advance(3000);
  expect([first.leading(), second.leading()]).toEqual([false, true]);
});

test('a lease that lapsed while its holder was paused is not extended while another takes it over', () => {
  const paused = lease('a');
  writeFileSync(file, JSON.stringify({ replica: 'a', untilMs: clock.nowMs() }));
  // Another replica has the lock and has not yet written its claim.
  writeFileSync(`${file}.lock-1000000-0`, String(clock.nowMs() + 3000));
  clock.advance(3000);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ untilMs: 1_000_000 });
  rmSync(`${file}.lock-1000000-0`);
  clock.advance(3000);
  expect(paused.leading()).toBe(true);
});

test('a lock of a dead replica is passed over, and removed only by the next leader', () => {
  const dead = String(clock.nowMs() - durationMs - 1);
  writeFileSync(`${file}.lock-0-0`, dead);
  // Another replica has found the lock dead as well, and is about to claim.
  writeFileSync(`${file}.lock-0-1`, String(clock.nowMs() - 1));
  expect(lease('a').leading()).toBe(false);
  expect(readFileSync(`${file}.lock-0-0`, 'utf8')).toBe(dead);
  expect(readFileSync(`${file}.lock-0-1`, 'utf8')).not.toBe('');
  rmSync(`${file}.lock-0-1`);
  expect(lease('b').leading()).toBe(true);
  expect(readdirSync(dirname(file))).toEqual(['lease']);
});

test.each(['', '{}', 'null', '{"replica":"a"}', '[]'])(
  'a file that holds no lease is free: %s',
  (text) => {
    writeFileSync(file, text);
    expect(lease('b').leading()).toBe(true);
  },
);
