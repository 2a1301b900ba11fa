import { defineConfig } from 'vitest/config';

/** Two servers, two processes and the test itself are busy at once: on a small machine more workers only make waiting longer. */
const REDIS_WORKERS = 2;

/** What is measured here would be another test's doing: they have the machine to themselves. */
const ALONE = ['hot-keys', 'hot-mixes', 'jobs', 'memory', 'queue-soak', 'soak'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/** They need a container engine: `scripts/container-engine` says that there is one. */
const CONTAINERS = {
  test: {
    name: 'containers',
    include: ['test/containers/**/*.test.ts'],
    setupFiles: ['test/support/leaks.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
    sequence: { groupOrder: 4 },
  },
};

/** They need Chromium: `scripts/test --all` installs it. */
const BROWSER = {
  test: {
    name: 'browser',
    include: ['test/browser/**/*.test.ts'],
    setupFiles: ['test/support/leaks.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    fileParallelism: false,
    sequence: { groupOrder: 5 },
  },
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          setupFiles: ['test/support/leaks.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'redis',
          include: ['test/redis/**/*.test.ts'],
          setupFiles: ['test/support/leaks.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
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
          testTimeout: 240_000,
          hookTimeout: 240_000,
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
          testTimeout: 240_000,
          hookTimeout: 240_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      ...(process.env['TANDEM_TEST_CONTAINERS'] ? [CONTAINERS] : []),
      ...(process.env['TANDEM_TEST_BROWSER'] ? [BROWSER] : []),
    ],
  },
});
