/** D14: a cache that cannot be written stops nothing, and is told once until it can be written again. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SimulatedClock } from '../../../base/clock.js';
import { DiskCache } from '../../../mesh/controller/client/cache.js';
import { folder } from './bench-mesh.js';

test('a folder in the place of the state', () => {
  const path = folder();
  const inTheWay = join(path, 'stream-state.json');
  const told: string[] = [];
  const cache = new DiskCache(path, new SimulatedClock(), (line) => told.push(line));
  const write = (text: string): void => {
    cache.writeState(() => text);
    cache.flush();
  };
  mkdirSync(inTheWay);
  for (const text of ['a', 'b']) write(text);
  expect(told).toEqual([expect.stringMatching(/^the cache cannot be written: .*EISDIR/)]);
  rmSync(inTheWay, { recursive: true });
  write('c');
  expect(cache.readState()).toBe('c');
  rmSync(inTheWay);
  mkdirSync(inTheWay);
  write('d');
  expect(told).toHaveLength(2);
});
