import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Instance } from '@smartstack/registry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../../packages/synapse/src/generators/haproxy/block/blocks.ts';
import { capabilitiesOf } from '../../packages/synapse/src/generators/haproxy/plan/capabilities.ts';
import { desiredState } from '../../packages/synapse/src/generators/haproxy/desired/desired.ts';
import { emptyMemory } from '../../packages/synapse/src/generators/haproxy/desired/memory.ts';
import { observedState, parseStat } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import { planChanges } from '../../packages/synapse/src/generators/haproxy/plan/plan.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { type Haproxy, haproxyPaths, startHaproxy } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { alertsOf } from './alerts.ts';
import { suited, tested } from './bed.ts';

let dir: string;
let haproxy: Haproxy | undefined;

beforeEach(() => {
  dir = makeTempDir('defsrv');
});
afterEach(async () => {
  await haproxy?.stop();
  haproxy = undefined;
  removeTempDir(dir);
});

/** What `show stat` says of a server's settings, not of its health or traffic. */
const settings = 'uweight act bck slim qlimit check_rise check_fall agent_rise addr sid'.split(' ');

async function settingsOf(
  process: Haproxy,
): Promise<Readonly<Record<string, readonly (string | undefined)[]>>> {
  const rows = parseStat(await process.ask('show stat')).filter((row) => row('type') === '2');
  return Object.fromEntries(rows.map((row) => [row('svname') ?? '', settings.map((column) => row(column))]));
}

const texts = [
  '',
  'check',
  'check rise 5 fall 7',
  'check inter 1h backup',
  'weight 7 maxconn 11 maxqueue 12',
  'no-check weight 0',
  'no-backup maxconn 3',
  'check fastinter 1s downinter 2s slowstart 3s error-limit 4 observe layer7 on-error mark-down',
  'init-addr none weight 3 weight 4',
];
const defaultServers = [
  [],
  ['default-server check inter 1h rise 9 weight 33'],
  ['default-server backup maxconn 5', 'default-server fall 8'],
];

/** For what an older HAProxy needs a reload for. */
const onDynamic = it.runIf(tested.dynamicServers);

describe('a server added at run time', () => {
  onDynamic.each(defaultServers)('is what the file would have made of it (%j %j)', async (...lines) => {
    const backend = lines.filter((line) => typeof line === 'string');
    const block = {
      port: await freePort(),
      bind_address: '127.0.0.1',
      backend,
      server_options: 'maxconn 40',
    };
    const instances = texts.map((haproxyServerOptions, index): Instance => ({
      ...{ host: '127.0.0.1', port: 1000 + index, name: `s${index}` },
      ...(haproxyServerOptions === '' ? {} : { haproxyServerOptions }),
    }));
    const { config } = readHaproxyBlock(
      { socket_file_path: haproxyPaths(dir).adminSocket, stats: false },
      'h',
    );
    const desire = (some: readonly Instance[]): DesiredState => {
      const service = { name: 'web', source: 'live', instances: some, blocks: { haproxy: block } } as const;
      const { desired, issues } = desiredState(config!, { services: [service] }, emptyMemory, new Map(), 0);
      expect(issues).toEqual([]);
      return suited(desired);
    };
    const [empty, full] = [desire([]), desire(instances)];

    haproxy = await startHaproxy({ dir, config: render(full) });
    const fromFile = await settingsOf(haproxy);
    expect(Object.keys(fromFile)).toHaveLength(texts.length);
    await haproxy.stop();

    haproxy = await startHaproxy({ dir, config: render(empty) });
    const [info, serversState, backends] = [
      await haproxy.ask('show info'),
      await haproxy.ask('show servers state'),
      await haproxy.ask('show backend'),
    ];
    const observed = observedState({ info, serversState, backends })!;
    const { commands, reload } = planChanges(full, empty, observed, capabilitiesOf(observed.process.version));
    expect(reload).toEqual([]);
    for (const command of commands) {
      if (command.kind !== 'add-server') throw new Error(command.kind);
      const { address, port, id, options, weight, checked } = command;
      const target = `${command.backend}/${command.server}`;
      const added = await haproxy.ask(
        `add server ${target} ${address}:${port} id ${id} ${options.join(' ')}`,
      );
      expect(added).toContain('New server registered.');
      await haproxy.ask(`enable server ${target}`);
      if (checked) await haproxy.ask(`enable health ${target}`);
      await haproxy.ask(`set server ${target} weight ${weight}`);
    }
    expect(await settingsOf(haproxy)).toEqual(fromFile);
  });
});

describe('the golden inputs of the Ruby pair', () => {
  const testdata = join(import.meta.dirname, '../../packages/synapse/src/generators/haproxy/testdata');
  const cases = readdirSync(testdata).filter((name) => /^\d/.test(name));

  it.each(cases)('%s makes a file that HAProxy accepts', async (name) => {
    const read = (file: string): unknown => JSON.parse(readFileSync(join(testdata, name, file), 'utf8'));
    const synapse = read('synapse.json') as {
      haproxy: unknown;
      services: Record<string, { haproxy: unknown }>;
    };
    const catalog = read('catalog.json') as Record<string, readonly Instance[]>;
    const services = Object.entries(synapse.services).map(([service, { haproxy: block }]) => ({
      ...({
        name: service,
        source: 'live',
        instances: catalog[service] ?? [],
        blocks: { haproxy: block },
      } as const),
    }));
    const { config } = readHaproxyBlock(synapse.haproxy, 'h');
    const desired = suited(desiredState(config!, { services }, emptyMemory, new Map(), 0).desired);
    expect(await alertsOf(render(desired), dir), render(desired)).toEqual([]);
  });
});
