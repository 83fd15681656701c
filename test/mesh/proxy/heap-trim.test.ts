/** A small heap is collected when it has garbage; a controller's only when nothing else happens. */
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { controllerLimits, startHeapTrim } from '../../../mesh/proxy/heap-trim.js';

const mebi = 1024 * 1024;

/** The sizes that the heap had at its collections. `sizes`: at each look, in MiB; a collection leaves 10. */
function collected(sizes: readonly number[], limits?: typeof controllerLimits): number[] {
  const clock = new SimulatedClock();
  const found: number[] = [];
  let size = 0;
  const collect = (): void => {
    found.push(size);
    size = 10;
  };
  const heap = { collect, usedBytes: () => size * mebi, giveBack: () => undefined };
  startHeapTrim(clock, () => 0, limits, heap);
  for (size of sizes) clock.advance(2000);
  return found;
}

test("a proxy's heap is collected as soon as it has garbage", () => {
  expect(collected([12, 11, 11.4, 12, 11, 11])).toEqual([12, 12]);
});

test("a controller's heap is left alone while it grows, and collected when it rests", () => {
  expect(collected([20, 40, 60, 60.1, 60.2], controllerLimits)).toEqual([60.1]);
  expect(collected([60, 60, 13, 13.9, 13.9], controllerLimits)).toEqual([60]);
});

test('without the flag that allows it, nothing is collected', () => {
  const heap = { collect: undefined, usedBytes: () => 0, giveBack: () => undefined };
  const started = startHeapTrim(new SimulatedClock(), () => 0, controllerLimits, heap);
  expect(started).toBeUndefined();
});

/** The events of each look (c: collected, g: given back), by the number of open connections at it. */
function givenBack(open: readonly number[]): string {
  const clock = new SimulatedClock();
  let events = '';
  let now = 0;
  const heap = {
    collect: () => void (events += 'c'),
    usedBytes: () => 0,
    giveBack: () => void (events += 'g'),
  };
  startHeapTrim(clock, () => now, undefined, heap);
  for (now of open) {
    events += '.';
    clock.advance(2000);
  }
  return events;
}

test('after a crowd has gone, the heap is collected twice, for issuers, and memory given back once', () => {
  const looks = (open: number): number[] => Array<number>(7).fill(open);
  expect(givenBack([...looks(1000), ...looks(10)])).toBe('...........c.cg..');
  // The next crowd is another.
  expect(givenBack([1000, ...looks(10), 300, ...looks(0)])).toBe('.....c.cg.......c.cg..');
});

test('a crowd that comes back keeps its memory, and so does a small one', () => {
  expect(givenBack([1000, 0, 0, 0, 1000, 0, 0])).toBe('.......');
  expect(givenBack([199, 0, 0, 0, 0, 0])).toBe('......');
});
