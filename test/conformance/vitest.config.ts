/** `npm run conformance` runs the public suites, each against a proxy of its own. `npm test` does not include them. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/conformance/*.suite.ts'],
    globalSetup: 'test/build-first.ts',
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Each suite has ports and processes of its own, and the whole machine.
    maxWorkers: 1,
  },
});
