import { defineConfig } from 'vitest/config';

/**
 * Tests whose subject is time itself: a game day whose alerts have deadlines, crashes in the middle of one, load without
 * a failed request. They run after the others and by themselves, or they would measure their neighbours.
 */
const alone = [
  'test/chaos/crash.test.ts',
  'test/chaos/gameday.test.ts',
  'test/chaos/retail.test.ts',
  'test/examples/**/*.test.ts',
  'test/cluster/**/*.test.ts',
  'test/systems/**/*.test.ts',
  'test/**/*-under-load.test.ts',
];
const all = 'test/**/*.test.ts';

export default defineConfig({
  test: {
    globalSetup: 'test/build-first.ts',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A bound, far beyond what it should take: a busy machine is no failure.
    expect: { poll: { timeout: 20_000, interval: 10 } },
    // Real servers on a shared machine: CI gives a test a second chance, and its report names each one that needed it.
    retry: process.env.CI === 'true' ? 1 : 0,
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: [all],
          exclude: alone,
          // Two at a time is what a small CI machine carries.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
