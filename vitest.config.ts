import { defineConfig } from 'vitest/config';

/** Two servers, two processes and the test itself are busy at once: on a small machine more workers only make waiting longer. */
const REDIS_WORKERS = 2;

/** What is measured here would be another test's doing: they have the machine to themselves. */
const ALONE = ['hot-keys', 'hot-mixes', 'jobs', 'memory', 'soak'].map((name) => `test/e2e/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/leaks.ts'],
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'redis',
          include: ['test/redis/**/*.test.ts'],
          setupFiles: ['test/support/leaks.ts'],
          testTimeout: 20_000,
          hookTimeout: 30_000,
          maxWorkers: REDIS_WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ALONE,
          setupFiles: ['test/support/leaks.ts'],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: REDIS_WORKERS,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          setupFiles: ['test/support/leaks.ts'],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
