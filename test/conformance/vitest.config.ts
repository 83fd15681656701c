/** `npm run conformance`: the suites of others, each against a proxy of its own. Not a part of `npm test`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/conformance/*.suite.ts'],
    globalSetup: 'test/build-first.ts',
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Each has ports and processes of its own, and the machine for itself.
    maxWorkers: 1,
  },
});
