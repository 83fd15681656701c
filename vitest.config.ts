import { defineConfig } from 'vitest/config';

/**
 * Tests about time itself: a game day whose alerts have deadlines, crashes in the middle of one, load without a
 * failed request. They run alone, after the others, since other tests would disturb their measurements.
 */
const alone = [
  'test/chaos/crash.test.ts',
  'test/chaos/gameday.test.ts',
  'test/chaos/retail.test.ts',
  'test/executable.test.ts',
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
    // A limit far beyond the expected time: a busy machine is not a failure.
    expect: { poll: { timeout: 20_000, interval: 10 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'together',
          include: [all],
          exclude: alone,
          // Two at a time is the load that a small CI machine can carry.
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
