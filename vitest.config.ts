import { defineConfig } from 'vitest/config';

// Tests run against the sources: the packages' `source` export condition.
const conditions = ['source', 'module', 'node', 'import', 'default'];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
};

export default defineConfig({
  test: {
    dangerouslyIgnoreUnhandledErrors: false,
    reporters: ['default', './integration/harness/summaryReporter.ts'],
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          // No test leaves anything in a module: each process loads the sources once.
          isolate: false,
          // Properties try hundreds of cases, on a machine that may be busy.
          testTimeout: 30_000,
          include: [
            'packages/*/src/**/*.test.ts',
            'integration/harness/**/*.test.ts',
            'scripts/**/*.test.ts',
          ],
        },
      },
      {
        ...shared,
        test: {
          name: 'integration',
          include: ['integration/**/*.test.ts'],
          exclude: ['integration/harness/**', '**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Two cores, real servers and real timing: one file at a time.
          fileParallelism: false,
        },
      },
    ],
  },
});
