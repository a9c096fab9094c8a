import { defineConfig } from 'vitest/config';

// Tests run against the sources: the packages' `source` export condition. Without `module`: Node.js itself loads what is
// not transformed, and libraries have there what only bundlers can read.
const conditions = ['source', 'node', 'import', 'default'];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
};

/** Files that wait for servers more than they work: three at a time. What measures, or loads a core, is not among them. */
const waiting = [
  'integration/{zookeeper,nerve,synapse,prometheus}/!(scale).test.ts',
  'integration/{demo,nginx}/*.test.ts',
  'integration/pair/!(chaos).test.ts',
  'integration/discovery/!(numbers|traffic).test.ts',
  'integration/haproxy/!(counters|histories|latencies|overrun|steering|tap).test.ts',
];
const withServers = {
  ...{ testTimeout: 60_000, hookTimeout: 60_000 },
  globalSetup: './integration/harness/setUp.ts',
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
          ...withServers,
          name: 'integration-waiting',
          include: waiting,
          exclude: ['**/node_modules/**'],
          maxWorkers: 3,
          // As above: a file that loads all sources anew takes a second and more of a core for that.
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...shared,
        test: {
          ...withServers,
          name: 'integration',
          include: ['integration/**/*.test.ts'],
          exclude: ['integration/harness/**', '**/node_modules/**', ...waiting],
          // Two cores, real servers and real timing: one file at a time.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
