/** The dependency rule of docs/architecture.md, as rules. @type {import('dependency-cruiser').IConfiguration} */
const only = (library, importer) => ({
  name: `only-${library}-importer`,
  comment: `${library} has one importer, ${importer}: it stays behind a narrow interface of ours.`,
  severity: 'error',
  from: { path: '^packages/', pathNot: `^packages/${importer}` },
  to: { path: `node_modules/${library}/` },
});
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
const src = '^packages/[^/]+/src/';

module.exports = {
  forbidden: [
    forbid('no-circular', 'No cycles.', {}, { circular: true }),
    forbid(
      'agent-is-a-leaf',
      'agent imports no workspace package.',
      { path: '^packages/agent' },
      { path: '^packages/(registry|nerve|synapse)' },
    ),
    forbid(
      'registry-below',
      'registry knows neither agent.',
      { path: '^packages/registry' },
      { path: '^packages/(nerve|synapse)' },
    ),
    forbid(
      'nerve-not-synapse',
      'The agents meet only in the registry.',
      { path: '^packages/nerve' },
      { path: '^packages/synapse' },
    ),
    forbid(
      'synapse-not-nerve',
      'The agents meet only in the registry.',
      { path: '^packages/synapse' },
      { path: '^packages/nerve' },
    ),
    forbid(
      'pure-stays-pure',
      'Pure modules do no IO and do not log.',
      {
        path: `${src}(health|catalog|resolvers)/|^packages/synapse/src/generators/(haproxy/(block|counters|desired|plan)/|fileOutput/(blocks|format)\\.)|^packages/registry/src/(codecs/|files/|nodeName|instance)|^packages/nerve/src/cli/init/(listeners|owner|kinds|plan|render)`,
        pathNot: '\\.test\\.ts$',
      },
      { dependencyTypes: ['core'], pathNot: '^(node:)?(buffer|crypto|net|path|util)$' },
    ),
    forbid(
      'variants-know-no-siblings',
      'A variant never imports a sibling; only the composition root imports the table.',
      { path: `${src}(checks|reporters|watchers)/([^/]+)\\.ts$`, pathNot: '(index|\\.test)\\.ts$' },
      { path: `${src}(checks|reporters|watchers)/index\\.ts$` },
    ),
    forbid(
      'generators-know-no-siblings',
      'A generator never imports another.',
      { path: '^packages/synapse/src/generators/([^/]+)/', pathNot: '\\.test\\.ts$' },
      {
        path: '^packages/synapse/src/generators/[^/]+/',
        pathNot: '^packages/synapse/src/generators/$1/',
      },
    ),
    forbid(
      'nobody-below-the-cli',
      'What a command line asks for knows nothing of command lines.',
      { path: '^packages/synapse/src/', pathNot: '^packages/synapse/src/(cli/|main\\.ts$)' },
      { path: '^packages/synapse/src/cli/' },
    ),
    forbid(
      'browser-apart',
      'What runs in a browser knows of the rest types, and what is pure; it has no library.',
      { path: '^packages/synapse/src/dashboard/browser/', pathNot: '\\.test\\.ts$' },
      {
        pathNot: '^packages/synapse/src/(dashboard/browser/|traffic/latency\\.ts$)',
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'nobody-to-the-browser',
      'What runs in a browser is built into the page, and is no part of the agent.',
      { path: '^packages/', pathNot: '^packages/synapse/src/dashboard/browser/' },
      { path: '^packages/synapse/src/dashboard/browser/' },
    ),
    forbid(
      'not-to-dev',
      'The product needs only its dependencies.',
      { path: src, pathNot: '\\.test\\.ts$|/testing/' },
      { dependencyTypes: ['npm-dev'] },
    ),
    forbid(
      'not-to-test',
      'No product code imports a test or a fake.',
      { path: src, pathNot: '\\.test\\.ts$|/testing/' },
      { path: '\\.test\\.ts$|/testing/' },
    ),
    only('node-zookeeper-client', 'registry/src/zookeeper/transport'),
    only('haproxy-sdk', 'synapse/src/generators/haproxy/runtime'),
    only('prom-client', 'agent/src/metrics'),
    only('chokidar', 'agent/src/watchFiles'),
    only('hot-shots', 'agent/src/statsd'),
    only('winston', 'agent/src/logger'),
    only('amqplib', 'nerve/src/checks/clients/amqp'),
    only('pg', 'nerve/src/checks/clients/postgres'),
    only('mysql2', 'nerve/src/checks/clients/mysql'),
    only('liquidjs', 'synapse/src/generators/template/clients/liquid'),
    forbid(
      'clients-stand-alone',
      'A client is a file of its own beside the bundle: of the agent it knows types only, and schemas.',
      {
        path: '^packages/(nerve/src/checks|synapse/src/generators/template)/clients/',
        pathNot: '\\.test\\.ts$',
      },
      {
        path: '^packages/',
        // The schemas that modules get are a copy of its own, made with its copy of zod; they import nothing else.
        pathNot: '^packages/nerve/src/(checks/clients/|config/values\\.ts$)',
        dependencyTypesNot: ['type-only'],
      },
    ),
    only('@aws-sdk/client-s3', 'synapse/src/watchers/aws/s3'),
    only('@aws-sdk/client-ec2', 'synapse/src/watchers/aws/ec2'),
    only('yargs', '(nerve|synapse)/src/cli/'),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
    },
  },
};
