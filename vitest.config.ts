import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start real processes and servers; two at a time is what a small CI machine carries.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Real servers on a shared machine: CI gives a test a second chance, and its report names each one that needed it.
    retry: process.env.CI === 'true' ? 1 : 0,
  },
});
