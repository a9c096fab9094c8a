import { systemClock } from '@smartstack/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { BeliefStore } from '../loaded/beliefStore.js';
import { hashOf } from '../file/fileHash.js';
import type { ConfigKeeper } from '../file/configKeeper.js';
import { render } from '../desired/render.js';
import { FakeCli } from '../testing/fakeCli.js';
import { aServer, aService, aState } from '../testing/sections.js';
import { defaultProbe, Prober } from './probe.js';
import { bringInStep, type PassContext, type PassResult } from './runtimePass.js';
import { RuntimeTarget } from './runtimeTarget.js';

const columns =
  'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_check_state srv_port';
const [a, b] = [aServer('a', { options: [] }), aServer('b', { options: [] })];
const loaded = aState([aService([a])]);
const wanted = aState([aService([a, b])]);

let cli: FakeCli | undefined;
afterEach(async () => {
  await cli?.stop();
  cli = undefined;
});

describe('a process that becomes another version behind its socket', () => {
  it('is planned for by what it is now, upgraded and downgraded', async () => {
    const now = Date.now();
    let process = { pid: 100, version: '2.4.0', startedAt: Math.floor(now / 1000) - 50 };
    let servers = [a];
    cli = await FakeCli.start((command) => {
      const { pid, version, startedAt } = process;
      if (command === 'show info')
        return `Name: HAProxy\nVersion: ${version}\nPid: ${pid}\nUptime_sec: 50\nStart_time_sec: ${startedAt}`;
      if (command === 'show backend') return '# name\nweb';
      if (command.startsWith('show servers state')) {
        const rows = servers.map(({ id, name, address, port }) =>
          [3, 'web', id, name, address, 2, 0, 1, 0, port].join(' '),
        );
        return ['1', `# ${columns}`, ...rows].join('\n');
      }
      if (command.startsWith('add server web/b ')) {
        if (version.startsWith('2.4')) return 'This command is restricted to experimental mode only.';
        servers = [a, b];
        return 'New server registered.';
      }
      return '';
    });
    const beliefs = await BeliefStore.open(undefined, []);
    const sha256 = hashOf(render(loaded));
    // In place before any of the processes began.
    beliefs.written = { desired: loaded, sha256, at: now - 1_000_000 };
    const keeper = { diskHash: () => Promise.resolve(sha256) } as unknown as ConfigKeeper;
    const target = new RuntimeTarget({
      ...{ clock: systemClock, socketPath: cli.path, deadlineMs: 2_000, observeAgainMs: 60_000 },
      prober: new Prober({ ...defaultProbe, mode: 'off' }, systemClock),
    });
    const context: PassContext = {
      ...{ clock: systemClock, beliefs, keeper, now, process: {} },
      signal: new AbortController().signal,
      isAudit: false,
      isKnown: () => false,
    };
    const pass = (): Promise<PassResult> => bringInStep(target, wanted, context);
    const summary = ({ plan, applied }: PassResult) => ({
      commands: applied.map(({ command, outcome }) => `${command.kind} ${outcome.result}`),
      reload: plan.reload.map(({ kind, detail }) => `${kind}: ${detail}`),
    });
    const onOld = {
      commands: [],
      reload: ['no-dynamic-servers: web/b: HAProxy 2.4.0 takes no servers at run time'],
    };

    expect(summary(await pass())).toEqual(onOld);
    // The observation is fresh, and of somebody else.
    process = { pid: 200, version: '3.2.0', startedAt: process.startedAt + 10 };
    expect(summary(await pass())).toEqual({ commands: ['add-server done'], reload: [] });
    expect(summary(await pass())).toEqual({ commands: [], reload: [] });
    // Also where the pid is the same, as in a container.
    process = { pid: 200, version: '2.4.0', startedAt: process.startedAt + 10 };
    servers = [a];
    expect(summary(await pass())).toEqual(onOld);
  });
});

describe('a pass that nobody answers', () => {
  it('leaves no doubt about servers for which nothing was sent', async () => {
    const startedAt = Math.floor(Date.now() / 1000) - 50;
    let isSilent = false;
    cli = await FakeCli.start((command) => {
      if (isSilent) return undefined;
      if (command === 'show info')
        return `Name: HAProxy\nVersion: 2.6.12\nPid: 100\nUptime_sec: 50\nStart_time_sec: ${startedAt}`;
      if (command === 'show backend') return '# name\nweb';
      const row = [3, 'web', a.id, a.name, a.address, 2, 0, 1, 0, a.port].join(' ');
      return command.startsWith('show servers state') ? `1\n# ${columns}\n${row}` : '';
    });
    const beliefs = await BeliefStore.open(undefined, []);
    const process = { pid: 100, startedAt };
    beliefs.setRunning(cli.path, process, loaded);
    const target = new RuntimeTarget({
      ...{ clock: systemClock, socketPath: cli.path, deadlineMs: 50, observeAgainMs: 60_000 },
      prober: new Prober({ ...defaultProbe, mode: 'off' }, systemClock),
    });
    const context: PassContext = {
      ...{ clock: systemClock, beliefs, keeper: {} as ConfigKeeper, process: {}, now: Date.now() },
      ...{ signal: new AbortController().signal, isAudit: false, isKnown: () => false },
    };
    expect((await bringInStep(target, loaded, context)).plan.commands).toEqual([]);
    isSilent = true;
    const other = aState([aService([aServer('a', { options: ['backup'] })])]);
    await expect(bringInStep(target, other, context)).rejects.toMatchObject({ code: 'runtime-timeout' });
    expect(beliefs.running(cli.path, process)).toBe(loaded);
  });
});

describe('a worker that began in the second in which the file was written', () => {
  const seen = async (hasLoadedFile: (worker: number) => Promise<boolean>, onDisk: 'ours' | 'changed') => {
    const startedAt = Math.floor(Date.now() / 1000);
    cli = await FakeCli.start((command) => {
      if (command === 'show info')
        return `Name: HAProxy\nVersion: 2.6.12\nPid: 100\nUptime_sec: 0\nStart_time_sec: ${startedAt}`;
      if (command === 'show backend') return '# name\nweb';
      const row = [3, 'web', a.id, a.name, a.address, 2, 0, 1, 0, a.port].join(' ');
      return command.startsWith('show servers state') ? `1\n# ${columns}\n${row}` : '';
    });
    const beliefs = await BeliefStore.open(undefined, []);
    const sha256 = hashOf(render(loaded));
    beliefs.written = { desired: loaded, sha256, at: Date.now() };
    const diskHash = () => Promise.resolve(onDisk === 'ours' ? sha256 : 'another');
    const target = new RuntimeTarget({
      ...{ clock: systemClock, socketPath: cli.path, deadlineMs: 2_000, observeAgainMs: 60_000 },
      prober: new Prober({ ...defaultProbe, mode: 'off' }, systemClock),
    });
    const { isUnknown } = await bringInStep(target, loaded, {
      ...{ clock: systemClock, beliefs, keeper: { diskHash }, process: { hasLoadedFile }, now: Date.now() },
      ...{ signal: new AbortController().signal, isAudit: false, isKnown: () => false },
    });
    return isUnknown;
  };

  it('is known where we started it on that very file, and nowhere else', async () => {
    const ours = (worker: number) => Promise.resolve(worker === 100);
    expect(await seen(ours, 'ours')).toBe(false);
    await cli?.stop();
    expect(await seen(ours, 'changed')).toBe(true);
    await cli?.stop();
    expect(await seen(() => Promise.resolve(false), 'ours')).toBe(true);
  });
});
