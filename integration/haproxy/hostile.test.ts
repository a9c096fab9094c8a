import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from '../../packages/synapse/src/generators/haproxy/block/blocks.ts';
import { capabilitiesOf } from '../../packages/synapse/src/generators/haproxy/plan/capabilities.ts';
import { desiredState } from '../../packages/synapse/src/generators/haproxy/desired/desired.ts';
import {
  modernKeywords,
  modernFrontendOnlyWhenAsked,
} from '../../packages/synapse/src/generators/haproxy/desired/keywordTable.ts';
import { emptyMemory } from '../../packages/synapse/src/generators/haproxy/desired/memory.ts';
import { observedState } from '../../packages/synapse/src/generators/haproxy/plan/observed.ts';
import { optionTable } from '../../packages/synapse/src/generators/haproxy/desired/optionTable.ts';
import { planChanges } from '../../packages/synapse/src/generators/haproxy/plan/plan.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import type { DesiredState } from '../../packages/synapse/src/generators/haproxy/types.ts';
import { type Haproxy, haproxyPaths, startHaproxy } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { alertsOf } from './alerts.ts';
import { suited, tested } from './bed.ts';

const addresses = new Map([['host.example', '127.0.0.7']]);
let dir: string;
let haproxy: Haproxy | undefined;

beforeEach(() => {
  dir = makeTempDir('hostile');
});
afterEach(async () => {
  await haproxy?.stop();
  haproxy = undefined;
  removeTempDir(dir);
});

/** The state that synapse would want, with its own presets, for one service with these instances. */
function desire(instances: readonly unknown[], block: object, top: object = {}): DesiredState {
  const sockets = { socket_file_path: haproxyPaths(dir).adminSocket, stats: false };
  const { config } = readHaproxyBlock({ ...sockets, ...top }, 'h');
  const view = {
    name: 'web',
    source: 'live',
    instances: instances as never,
    blocks: { haproxy: block },
  } as const;
  return suited(desiredState(config!, { services: [view] }, emptyMemory, addresses, 0).desired);
}

async function observe(process: Haproxy) {
  const [info, serversState, backends] = [
    await process.ask('show info'),
    await process.ask('show servers state'),
    await process.ask('show backend'),
  ];
  return observedState({ info, serversState, backends })!;
}

const breakers = [
  '\n',
  '\r\n\tserver evil 6.6.6.6:6',
  'a b',
  '#',
  '$HOME',
  '${HOME}',
  '"',
  "'",
  '\\',
  ';',
  '<<',
  '%',
  '\0',
];
const nasty = fc.oneof(
  fc.constantFrom(...breakers, 'host.example', '::1', 'BACKEND', 'FRONTEND', '__proto__', 'x'.repeat(9000)),
  fc.constantFrom('/run/x.sock', 'unix@/x', 'fd@3', 'abns@x', '0.0.0.0', '127.0.0.1:80', '*', '-1', ''),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const mostly = <T>(good: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ arbitrary: good, weight: 9 }, { arbitrary: nasty, weight: 1 });
const keyword = fc.constantFrom(...optionTable.keys());
const word = fc.oneof(fc.constantFrom('1', '5s', 'none', 'x', '300', '127.0.0.1', 'layer7'), nasty);
const options = fc
  .array(fc.tuple(keyword, word), { maxLength: 3 })
  .map((pairs) => pairs.map((pair) => pair.join(' ')).join(' '));
const instance = fc.record(
  {
    host: mostly(fc.ipV4().filter((host) => host !== '0.0.0.0')),
    port: mostly(fc.integer({ min: 1, max: 65_535 })),
    name: mostly(fc.constantFrom('a', 'b', 'i-0123')),
    weight: fc.integer({ min: -10, max: 1000 }),
    haproxyServerOptions: fc.oneof(mostly(options), options),
  },
  { requiredKeys: ['host', 'port'] },
);

/** For what an older HAProxy needs a reload for. */
const onDynamic = it.runIf(tested.dynamicServers);

describe('hostile instances', () => {
  it('never spoil the file, and the process runs exactly the servers that were wanted', async () => {
    const good = { host: '127.0.0.200', port: 80, name: 'good' };
    let written = 0;
    for (const [round, instances] of fc
      .sample(fc.array(instance, { minLength: 20, maxLength: 60 }), 25)
      .entries()) {
      const block = {
        port: await freePort(),
        bind_address: '127.0.0.1',
        server_options: round % 2 ? 'check inter 1h' : '',
      };
      const desired = desire([...instances, good], block, { use_nerve_weights: round % 3 === 0 });
      const text = render(desired);
      expect(await alertsOf(text, dir), text).toEqual([]);
      const servers = desired.services[0]!.backend.servers;
      expect(servers.map(({ name }) => name)).toContain('good_127.0.0.200:80');
      written += servers.length;
      if (round % 5 !== 0) continue;
      haproxy = await startHaproxy({ dir, config: text });
      const observed = await observe(haproxy);
      // Up to 2.5 HAProxy lists backends of its own.
      expect([...observed.backends.keys()]).toContain('web');
      expect([...observed.backends.get('web')!.keys()].sort()).toEqual(
        servers.map(({ name }) => name).sort(),
      );
      const capabilities = capabilitiesOf(observed.process.version);
      expect(planChanges(desired, desired, observed, capabilities)).toEqual({ commands: [], reload: [] });
      await haproxy.stop();
      haproxy = undefined;
    }
    expect(written).toBeGreaterThan(200);
  });

  onDynamic.each(['http', 'tcp'])(
    'may bring each accepted option in mode %s: the file takes all, a running HAProxy what it is said to',
    async (mode) => {
      const samples = `1 5s none required last,libc x 127.0.0.1 layer4 layer7 legacy octet-count fastinter
        fail-check sudden-death mark-down shutdown-sessions shutdown-backup-sessions auto h1 h2 http://x
        allow-dup-ip ipv4 ipv6 ssl,crc32c,unique-id`.split(/\s+/);
      const fits = (sample: string): boolean => mode === 'http' || sample !== 'layer7';
      const company: Readonly<Record<string, string>> = {
        ...{ ssl: 'verify none', 'check-ssl': 'verify none', 'agent-check': 'agent-port 1' },
      };
      const texts = [...optionTable].flatMap(([name, { args, shape, refused }]) => {
        // Two servers cannot have one id.
        if (refused !== undefined || name === 'id') return [];
        if (mode === 'tcp' && (name === 'cookie' || name === 'redir')) return [];
        const values =
          args === 0 ? [''] : samples.filter((sample) => fits(sample) && (shape?.(sample) ?? true));
        expect(values, name).not.toEqual([]);
        return values.flatMap((value) => {
          const alone = [name, value, company[name] ?? ''].filter((part) => part !== '').join(' ');
          const withTls = `${alone} check ssl check-ssl ${value === 'required' ? '' : 'verify none'}`;
          return value === 'required' ? [alone] : [alone, withTls];
        });
      });
      const instances = texts.map((haproxyServerOptions, index) => ({
        ...{ host: '127.0.0.1', port: index + 1, name: `o${index}` },
        haproxyServerOptions,
      }));
      const block = { port: await freePort(), bind_address: '127.0.0.1', listen: [`mode ${mode}`] };
      const desired = desire(instances, block, { use_nerve_weights: false });
      expect(desired.services[0]!.backend.servers).toHaveLength(texts.length);
      expect(await alertsOf(render(desired), dir)).toEqual([]);

      haproxy = await startHaproxy({ dir, config: render(desire([], block)) });
      const observed = await observe(haproxy);
      const { commands, reload } = planChanges(
        desired,
        desire([], block),
        observed,
        capabilitiesOf(observed.process.version),
      );
      const refused: string[] = [];
      for (const command of commands) {
        if (command.kind !== 'add-server') throw new Error(command.kind);
        const place = `${command.backend}/${command.server} ${command.address}:${command.port}`;
        const answer = await haproxy.ask(`add server ${place} id ${command.id} ${command.options.join(' ')}`);
        if (!answer.includes('New server registered.'))
          refused.push(`${command.options.join(' ')}: ${answer}`);
      }
      expect(refused).toEqual([]);
      expect(commands.length).toBeGreaterThan(60);
      const onlyInFile = ['agent-check', 'log-proto', 'max-reuse', 'non-stick', 'redir', 'tcp-ut'];
      expect([...new Set(reload.map(({ detail }) => detail.replace(/^.*: option /, '')))].sort()).toEqual(
        onlyInFile.filter((name) => mode === 'http' || name !== 'redir'),
      );
    },
  );
});

describe('what is written by default', () => {
  it('is accepted: presets, stats page, and both sections of every service', async () => {
    const { config } = readHaproxyBlock({ shared_frontend: ['bind 127.0.0.1:9'] }, 'h');
    const blocks = {
      haproxy: { port: 1, listen: ['mode http'], shared_frontend: ['use_backend web if TRUE'] },
    };
    const view = { name: 'web', source: 'live', instances: [], blocks } as const;
    const { desired, issues } = desiredState(config!, { services: [view] }, emptyMemory, addresses, 0);
    expect(issues).toEqual([]);
    expect(await alertsOf(render(suited(desired)), dir)).toEqual([]);
  });

  it('knows the keywords of HAProxy 2.6: each is one where our table puts it', async () => {
    const unknown: string[] = [];
    for (const kind of ['frontend', 'backend'] as const) {
      const own = kind === 'frontend' ? modernFrontendOnlyWhenAsked : [];
      const lines = [...modernKeywords[kind], ...own];
      const text = `defaults\n\tmode http\n${kind} x\n${lines.map((line) => `\t${line}\n`).join('')}`;
      for (const alert of await alertsOf(text, dir)) {
        if (/unknown keyword|not allowed in|ignored because|unknown option/i.test(alert)) unknown.push(alert);
      }
    }
    expect(unknown).toEqual([]);
  });
});
