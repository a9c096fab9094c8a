import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { cleanUpAfterEach, type Vm } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { askSocket } from '../harness/haproxy.ts';
import { observe } from '../nerve/bed.ts';
import {
  type Host,
  logOf,
  newZooKeeper,
  pathOf,
  type Pair,
  readyServers,
  startPair,
  userFile,
} from './bed.ts';

cleanUpAfterEach();
const web = pathOf('web');
let address: string;
let pair: Pair;
let host: Host;
let vm: Vm;

beforeEach(async () => {
  const server = await newZooKeeper();
  await server.start();
  ({ address } = server);
  pair = await startPair({ nerve: address, synapse: address });
  ({ host, vm } = pair);
});

const at = (fields: object): string => JSON.stringify({ host: '127.0.0.1', port: 9, ...fields });

/** Data of znodes that nobody should write, by node name, and what is said of each. */
const hostile: Readonly<Record<string, readonly [data: string, said: RegExp]>> = {
  notJson: ['web=127.0.0.1:80', /JSON/],
  empty: ['', /JSON|empty|no data/i],
  list: ['[]', /object/i],
  noHost: ['{"port":80}', /host/],
  zero: [at({ port: 0 }), /port/],
  large: [at({ port: 70_000 }), /port/],
  command: [at({ port: '80; disable server x' }), /port/],
  newline: [at({ name: 'x\nbackend evil\n' }), /name/],
  spaced: [at({ host: '127.0.0.1 backup' }), /host/],
  hostLine: [at({ host: '127.0.0.1\n\tserver evil 10.6.6.6:1' }), /host/],
  socketFile: [at({ host: 'unix@/run/evil' }), /host/],
  ['z'.repeat(10_240)]: ['x', /JSON/],
  'x; disable server web y': ['x', /JSON/],
  optionLine: [at({ name: 'o1', haproxy_server_options: 'check\n\tserver evil 10.6.6.6:1' }), /option|line/],
  optionCommand: [
    at({ name: 'o2', haproxy_server_options: 'check; shutdown sessions server web/evil' }),
    /option|;/,
  ],
  optionQuotes: [at({ name: 'o3', haproxy_server_options: '"check" \'evil' }), /option|quote/],
};

interface Status {
  readonly services: readonly {
    readonly name: string;
    readonly problems: readonly { readonly path: string; readonly reason: string }[];
  }[];
  readonly generators: readonly {
    readonly details: {
      readonly issues: readonly { readonly instance?: string; readonly reason: string }[];
    };
  }[];
  readonly configuration: { readonly issues: readonly string[] };
}
const statusOf = async (): Promise<Status> => JSON.parse((await vm.admin('/status')).body) as Status;

/** Waits until the issues that an agent tells name each of these files, and returns them. */
function issuesNaming(
  files: readonly string[],
  read: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  return eventually(
    async () => {
      const issues = await read();
      return files.every((file) => issues.some((issue) => issue.includes(`/${file}.yaml:`)))
        ? issues
        : undefined;
    },
    { what: `there are issues of ${files.join()}` },
  );
}

/** The route works, a newcomer joins at run time, nothing was loaded, and nothing hostile came through. */
async function unharmed(newcomer: string): Promise<void> {
  await host.offer('web', newcomer);
  await vm.serves('web', ['a', 'b', newcomer]);
  await pair.traffic.noneFailed();
  expect(await vm.worker()).toBe(pair.worker);
  expect(readFileSync(vm.configFile, 'utf8')).not.toMatch(/evil|10\.6\.6\.6|shutdown/);
  expect(await askSocket(vm.adminSocket, 'show servers state')).not.toMatch(/evil|10\.6\.6\.6/);
  expect(await askSocket(vm.adminSocket, 'show backend')).not.toContain('evil');
}

describe('registrations that are not', () => {
  it('are each told once, with their place, in the log and in /status; nothing else is affected', async () => {
    const session = observe(address);
    const longName = 'n'.repeat(10_240);
    const nodes = new Map(Object.entries(hostile).map(([name, [data]]) => [name, data]));
    nodes.set('longName', at({ name: longName, port: 10 }));
    for (const [name, data] of nodes) await session.create(`${web}/${name}`, Buffer.from(data), 'persistent');
    await unharmed('c');

    const status = await statusOf();
    const { problems } = status.services.find(({ name }) => name === 'web')!;
    const { issues } = status.generators[0]!.details;
    const log = logOf(vm.synapse.output);
    for (const [name, [, said]] of Object.entries(hostile)) {
      const path = `${web}/${name}`;
      const decoded = problems.filter((problem) => problem.path === path);
      const logged = log.filter((line) => line.path === path);
      if (decoded.length > 0) {
        expect([decoded.length, logged.length], name).toEqual([1, 1]);
        expect(decoded[0]!.reason, name).toMatch(said);
        expect(decoded[0]!.reason.length, name).toBeLessThan(300);
        continue;
      }
      // What can be decoded is refused where it would be written.
      const refused = issues.filter(({ reason }) => said.test(reason));
      expect(refused.length, name).toBeGreaterThan(0);
    }
    // A long name is legal: its server has a shorter one.
    const long = (await readyServers(vm, 'web')).filter(({ port }) => port === 10);
    expect(long.map(({ name }) => name.length)).toEqual([255]);
    for (const { reason } of issues) expect(reason.length).toBeLessThan(300);
    for (const message of ['bad registration', 'something is left out of haproxy.cfg']) {
      const lines = log.filter((line) => line.message === message).map((line) => JSON.stringify(line));
      expect(new Set(lines.map((line) => line.replace(/"timestamp":"[^"]*"/, ''))).size).toBe(lines.length);
    }
  });

  it('a registration that somebody overwrites keeps its last good form until nerve has mended it', async () => {
    const session = observe(address);
    const { children } = await session.getChildren(web);
    const path = `${web}/${children[0]!}` as const;
    const { data } = await session.getData(path);
    await session.setData(path, Buffer.from('{'), -1);
    const mended = async (): Promise<boolean> => (await session.getData(path)).data.equals(data);
    await eventually(mended, { what: 'nerve has written it again' });
    await unharmed('c');
    expect((await statusOf()).services[0]?.problems).toEqual([]);
  });
});

describe('files that are wrong', () => {
  it('are told with file, line and column by each agent, and nothing else is affected', async () => {
    // At both places at once: an instance that nerve knows, a new one, and a service that synapse knows.
    host.nerve.write('services/web-b.yaml', 'host: 127.0.0.1\nport: 70000\nzk_path: /s/web\n');
    host.nerve.write('services/web-x.yaml', 'host: 127.0.0.1\n  port: [\n');
    host.nerve.write(
      'services/web-y.yaml',
      `host: "evil\\nhost"\nport: 80\nzk_hosts: ['${address}']\nzk_path: /s/web\n`,
    );
    vm.service('web', userFile(address, 'web', 70_000));
    vm.service('other', 'discovery: {method: zookeeper, hosts: [], path: nowhere}\nhaproxy: {port: 1.5}\n');
    const nerveIssues = await issuesNaming(['web-b', 'web-x', 'web-y'], async () =>
      host.nerve.status().then(({ config }) => config.issues),
    );
    const synapseIssues = await issuesNaming(['web', 'other'], async () =>
      statusOf().then(({ configuration }) => configuration.issues),
    );
    for (const [issues, output] of [
      [nerveIssues, host.nerve.output],
      [synapseIssues, vm.synapse.output],
    ] as const) {
      for (const issue of issues) {
        expect(issue).toMatch(/\.yaml:\d+:\d+ /);
        const told = logOf(output).filter((line) => line.issue === issue);
        expect(told, issue).toHaveLength(1);
      }
    }
    await unharmed('c');
  });
});
