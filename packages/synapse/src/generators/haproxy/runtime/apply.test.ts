import { systemClock } from '@smartstack/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { applyCommands } from './apply.js';
import { RuntimeSession } from './runtimeClient.js';
import { FakeCli } from '../testing/fakeCli.js';
import type { RuntimeCommand } from '../types.js';

let cli: FakeCli | undefined;
afterEach(async () => {
  await cli?.stop();
  cli = undefined;
});

const add = (backend: string, server: string): RuntimeCommand => ({
  kind: 'add-server',
  backend,
  server,
  address: '10.0.0.1',
  port: 80,
  id: 7,
  options: ['check'],
  weight: 5,
  checked: true,
});
const remove = (backend: string, server: string): RuntimeCommand => ({
  kind: 'remove-server',
  backend,
  server,
});

/** What HAProxy was told, in order; confirming a server of backend `slow` takes until the other backend is done. */
async function told(commands: readonly RuntimeCommand[]): Promise<readonly string[]> {
  let othersDone = (): void => undefined;
  const others = new Promise<void>((resolve) => (othersDone = resolve));
  cli = await FakeCli.start((line) => {
    if (line.startsWith('del server other/')) othersDone();
    return line.startsWith('add ')
      ? 'New server registered.'
      : line.startsWith('del ')
        ? 'Server deleted.'
        : '';
  });
  const session = await RuntimeSession.open(cli.path, { clock: systemClock, deadlineMs: 2_000 });
  try {
    const results = await applyCommands(session, commands, {
      clock: systemClock,
      confirm: async () => {
        await others;
        return undefined;
      },
      lingering: new Set(),
    });
    expect(results.map(({ command }) => command)).toEqual(commands);
    expect(results.every(({ outcome }) => outcome.result === 'done')).toBe(true);
    return cli.received;
  } finally {
    session.close();
  }
}

describe('applyCommands', () => {
  it('takes no server away before those that come are in rotation, and lets no backend wait for another', async () => {
    const received = await told([
      remove('slow', 'old'),
      { kind: 'set-state', backend: 'slow', server: 'drained', state: 'drain' },
      { kind: 'set-weight', backend: 'slow', server: 'idle', weight: 0 },
      add('slow', 'new'),
      remove('other', 'old'),
    ]);
    const at = (start: string): number => received.findIndex((line) => line.startsWith(start));
    const inRotation = at('set server slow/new weight 5');
    expect(at('del server other/old')).toBeGreaterThanOrEqual(0);
    expect(at('del server other/old')).toBeLessThan(inRotation);
    for (const loss of [
      'set server slow/old state maint',
      'set server slow/drained state drain',
      'set server slow/idle weight 0',
    ])
      expect(at(loss)).toBeGreaterThan(inRotation);
  });

  /** Replaces four servers; what HAProxy was told, and each server's last outcome. */
  async function replaceFour(answerDel: string): Promise<{
    readonly told: readonly string[];
    readonly outcomes: readonly string[];
  }> {
    cli = await FakeCli.start((line) =>
      line.startsWith('add ') ? 'New server registered.' : line.startsWith('del ') ? answerDel : '',
    );
    const session = await RuntimeSession.open(cli.path, { clock: systemClock, deadlineMs: 2_000 });
    try {
      const results = await applyCommands(
        session,
        ['a', 'b', 'c', 'd'].flatMap((server) => [remove('web', server), add('web', server)]),
        { clock: systemClock, confirm: () => Promise.resolve(undefined), lingering: new Set() },
      );
      const outcomes = results.flatMap(({ command, outcome }) =>
        command.kind === 'add-server' ? [`${command.server} ${outcome.result}`] : [],
      );
      return { told: cli.received, outcomes };
    } finally {
      session.close();
    }
  }

  it('replaces servers in turns: half of them stay until the others are back in rotation', async () => {
    const { told: lines, outcomes } = await replaceFour('Server deleted.');
    const at = (start: string): number => lines.findIndex((line) => line.startsWith(start));
    for (const early of ['a', 'b'])
      for (const late of ['c', 'd'])
        expect(at(`set server web/${early} weight 5`)).toBeLessThan(at(`set server web/${late} state maint`));
    expect(outcomes).toEqual(['a done', 'b done', 'c done', 'd done']);
  });

  it('leaves the other half in rotation while the first cannot come back', async () => {
    const { told: lines, outcomes } = await replaceFour('Server still has connections attached to it');
    expect(lines.some((line) => /web\/[cd]/.test(line))).toBe(false);
    expect(outcomes).toEqual(['a lingering', 'b lingering', 'c lingering', 'd lingering']);
  });

  it('replaces nothing before one of the newcomers is in rotation: it may be all that serves', async () => {
    cli = await FakeCli.start((line) => (line.startsWith('add ') ? 'New server registered.' : ''));
    const session = await RuntimeSession.open(cli.path, { clock: systemClock, deadlineMs: 2_000 });
    const results = await applyCommands(
      session,
      [add('web', 'dead'), remove('web', 'changed'), add('web', 'changed')],
      { clock: systemClock, confirm: () => Promise.resolve('nobody answers'), lingering: new Set() },
    ).finally(() => session.close());
    expect(results.map(({ outcome }) => outcome.result)).toEqual(['done', 'lingering', 'lingering']);
    expect(cli.received.some((line) => line.includes('web/changed'))).toBe(false);
  });
});
