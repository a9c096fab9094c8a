import { basename } from 'node:path';
import type { Plugin } from 'esbuild';

/** SIGHUP is caught by start.cjs, before the bundle is read, and only that knows import(): both share those modules. */
export const started: Plugin = {
  name: 'started',
  setup: (building) => {
    building.onResolve({ filter: /^@smartstack\/agent\/(hangups|importing)$/ }, () => ({
      path: './start.cjs',
      external: true,
    }));
  },
};

/** Parts that libraries load for features of theirs which no agent uses: they would cost each start some milliseconds. */
const unused = [
  // Metrics of Node.js itself, summaries, clusters and gateways to push to. They load https, zlib, v8 and perf_hooks.
  'prom-client/lib/(pushgateway|defaultMetrics|cluster|summary)',
  // Colours of terminals.
  '@colors/colors/safe',
];

export const leaveOut: Plugin = {
  name: 'leave-out',
  setup: (building) => {
    const filter = new RegExp(`/node_modules/(${unused.join('|')})\\.js$`);
    building.onLoad({ filter }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Clients of protocols, each in a file beside the bundle: read by those who use the check, when they do. */
export const clients: Plugin = {
  name: 'clients',
  setup: (building) => {
    building.onResolve({ filter: /^\.\/clients\/[a-z]+\.js$/ }, ({ path }) => ({
      path: `./${clientFile(basename(path, '.js'))}`,
      external: true,
    }));
  },
};

/** The name of a client's file. */
export function clientFile(name: string): string {
  return `client-${name}.cjs`;
}
