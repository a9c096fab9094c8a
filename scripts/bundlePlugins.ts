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

/** Libraries of which others need a few functions, each a module of its own. */
const narrowed: Readonly<Record<string, string>> = {
  async: ['whilst', 'eachSeries', 'reduce']
    .map((name) => `exports.${name} = require('async/${name}');`)
    .join('\n'),
  underscore: ['clone', 'defaults', 'shuffle']
    .map((name) => `exports.${name} = require('underscore/cjs/${name}.js');`)
    .join('\n'),
};

/** Does for libraries in CommonJS what esbuild does for modules: leaves out what nobody asks for. */
export const narrow: Plugin = {
  name: 'narrow',
  setup: (building) => {
    const filter = new RegExp(`^(${Object.keys(narrowed).join('|')})$`);
    building.onResolve({ filter }, ({ path, resolveDir }) => ({
      path,
      namespace: 'narrowed',
      pluginData: resolveDir,
    }));
    building.onLoad({ filter: /./, namespace: 'narrowed' }, ({ path, pluginData }) => ({
      contents: narrowed[path] ?? '',
      resolveDir: String(pluginData),
    }));
    // The library asserts on each call, and that it is called as it should be: the rest of the module is for a failure.
    building.onResolve({ filter: /^assert$/ }, ({ importer }) =>
      importer.includes('/node-zookeeper-client/')
        ? { path: 'assert', namespace: 'assertion' }
        : { path: 'node:assert', external: true },
    );
    building.onLoad({ filter: /./, namespace: 'assertion' }, () => ({
      contents:
        "module.exports = (value, message) => { if (!value) require('node:assert')(value, message); };",
    }));
    // What npm has under this name is the same code, for other versions of Node.js than ours.
    building.onResolve({ filter: /^readable-stream$/ }, () => ({ path: 'node:stream', external: true }));
    building.onResolve({ filter: /^readable-stream\/lib\/_stream_writable\.js$/ }, () => ({
      path: 'writable',
      namespace: 'own-stream',
    }));
    building.onLoad({ filter: /./, namespace: 'own-stream' }, () => ({
      contents: "module.exports = require('node:stream').Writable;",
    }));
  },
};

/** Clients of protocols, and of templates, each in a file beside the bundle: read by those who use them, when they do. */
export const clients: Plugin = {
  name: 'clients',
  setup: (building) => {
    building.onResolve({ filter: /^\.{1,2}\/([a-z]+\/)*clients\/[a-z]+\.js$/ }, ({ path }) => ({
      path: `./${clientFile(basename(path, '.js'))}`,
      external: true,
    }));
  },
};

/** The name of a client's file. */
export function clientFile(name: string): string {
  return `client-${name}.cjs`;
}
