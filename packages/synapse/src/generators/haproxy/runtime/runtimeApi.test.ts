import { systemClock } from '@smartstack/agent';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { applyCommands } from './apply.js';
import { encodeAddServer } from './runtimeApi.js';
import { RuntimeSession } from './runtimeClient.js';
import { RuntimeApiError } from './runtimeError.js';
import { type Answer, FakeCli } from '../testing/fakeCli.js';
import type { RuntimeCommand } from '../types.js';

type AddServer = Extract<RuntimeCommand, { kind: 'add-server' }>;

const add: AddServer = {
  kind: 'add-server',
  backend: 'web',
  server: 'a_10.0.0.1:80',
  address: '10.0.0.1',
  port: 80,
  id: 7,
  options: ['check', 'inter', '2s'],
  weight: 5,
  checked: true,
};
const target = 'web/a_10.0.0.1:80';
const registered = `add server ${target} 10.0.0.1:80 id 7 weight 0 check inter 2s pool-purge-delay 5s pool-max-conn -1`;

let cli: FakeCli | undefined;
afterEach(async () => {
  await cli?.stop();
  cli = undefined;
});

const agreeable: Answer = (command) =>
  command.startsWith('add ') ? 'New server registered.' : command.startsWith('del ') ? 'Server deleted.' : '';

async function apply(commands: readonly RuntimeCommand[], answer: Answer = agreeable, waitReason?: string) {
  cli = await FakeCli.start(answer);
  const session = await RuntimeSession.open(cli.path, { clock: systemClock, deadlineMs: 500 });
  try {
    return await applyCommands(session, commands, {
      clock: systemClock,
      confirm: async () => waitReason,
      lingering: new Set(),
    });
  } finally {
    session.close();
  }
}

describe('applying commands', () => {
  it('adds a server that was confirmed: enabled, checked, and only then weighted', async () => {
    expect(await apply([add])).toEqual([{ command: add, outcome: { result: 'done' } }]);
    expect(cli?.received).toEqual([
      registered,
      `enable server ${target}`,
      `enable health ${target}`,
      `set server ${target} weight 5`,
    ]);
  });

  it('lets a server that did not answer wait for the checks, and says why', async () => {
    const [applied] = await apply([add], agreeable, 'connection refused');
    expect(applied?.outcome).toEqual({ result: 'done', detail: 'connection refused' });
    expect(cli?.received.slice(2)).toEqual([
      `enable health ${target}`,
      `set server ${target} health down`,
      `set server ${target} weight 5`,
    ]);
  });

  it('adds without checks when there are none', async () => {
    await apply([{ ...add, options: ['pool-max-conn', '5'], checked: false }]);
    expect(cli?.received).toEqual([
      `add server ${target} 10.0.0.1:80 id 7 weight 5 pool-max-conn 5 pool-purge-delay 5s`,
      `enable server ${target}`,
    ]);
  });

  it.each([
    ['No such backend.', 'No such server.'],
    ['Already exists a server with the same name in backend.', ''],
    ['New server registered.', 'No such server.'],
  ])(
    'says of a server without checks that it failed where HAProxy says %j and %j',
    async (added, enabled) => {
      const unchecked = { ...add, options: [], checked: false };
      const [applied] = await apply([unchecked], (command) => (command.startsWith('add ') ? added : enabled));
      expect(applied?.outcome.result).toBe('failed');
      expect(applied?.outcome.detail).toContain(added.startsWith('New') ? enabled : added);
    },
  );

  it('does not touch a server with checks whose registration was rejected', async () => {
    const [applied] = await apply([add], () => 'Already exists a server with the same name in backend.');
    expect(applied?.outcome.result).toBe('failed');
    expect(applied?.outcome.detail).toContain('Already exists');
    expect(cli?.received).toEqual([registered]);
  });

  it('changes the address of a server that connections hold, and retries until it is gone', async () => {
    let attempts = 0;
    const remove: RuntimeCommand = { kind: 'remove-server', backend: 'web', server: 's' };
    const [applied] = await apply([remove], (command) => {
      if (!command.startsWith('del ')) return '';
      attempts += 1;
      return attempts < 8
        ? 'Server still has connections attached to it, cannot remove it.'
        : 'Server deleted.';
    });
    expect(applied?.outcome).toEqual({ result: 'done' });
    expect(cli?.received.filter((each) => each.includes(' addr '))).toEqual([
      'set server web/s addr 127.0.0.1 port 2',
      'set server web/s addr 127.0.0.1 port 1',
      'set server web/s addr 127.0.0.1 port 2',
    ]);
  });

  it('leaves a server that stays held lingering instead of waiting for it', async () => {
    const remove: RuntimeCommand = { kind: 'remove-server', backend: 'web', server: 's' };
    const held = 'Server still has connections attached to it, cannot remove it.';
    const applied = await apply([remove, { ...add, server: 's' }], (command) =>
      command.startsWith('del ') ? held : '',
    );
    expect(applied.map(({ outcome }) => outcome.result)).toEqual(['lingering', 'lingering']);
    expect(cli?.received.some((each) => each.startsWith('add '))).toBe(false);
  });

  it('takes a server that is gone already for removed', async () => {
    const remove: RuntimeCommand = { kind: 'remove-server', backend: 'web', server: 's' };
    const [applied] = await apply([remove], () => 'No such server.');
    expect(applied?.outcome).toEqual({ result: 'done', detail: 'No such server.' });
    expect(cli?.received).toEqual(['set server web/s state maint']);
  });

  it('gives a server its address back, whether or not it had lost it', async () => {
    const command: RuntimeCommand = {
      kind: 'set-address',
      backend: 'web',
      server: 's',
      address: 'fd00::1',
      port: 80,
    };
    const moved =
      "IP changed from '127.0.0.1' to 'fd00::1', port changed from '1' to '80' by 'stats socket command'";
    expect((await apply([command], () => moved))[0]?.outcome).toEqual({ result: 'done' });
    expect(cli?.received).toEqual(['set server web/s addr fd00::1 port 80']);
    await cli?.stop();
    const [refused] = await apply([command], () => 'Invalid addr format.');
    expect(refused?.outcome.result).toBe('failed');
  });

  it('one failing command does not stop the others', async () => {
    const commands: RuntimeCommand[] = [
      { kind: 'set-weight', backend: 'web', server: 'a', weight: 3 },
      { kind: 'set-state', backend: 'web', server: 'b', state: 'drain' },
    ];
    const applied = await apply(commands, (command) => (command.includes('web/a') ? 'No such server.' : ''));
    expect(applied.map(({ outcome }) => outcome.result)).toEqual(['failed', 'done']);
  });

  it('throws when the connection breaks: what was done is unknown', async () => {
    const attempt = apply([add], (_command, socket) => {
      socket.destroy();
      return undefined;
    });
    await expect(attempt).rejects.toBeInstanceOf(RuntimeApiError);
  });

  it('brackets IPv6 addresses', () => {
    expect(encodeAddServer({ ...add, address: 'fd00::1' })).toContain(` [fd00::1]:80 id 7 `);
  });

  it('never sends a field that is not one word', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.constantFrom('a b', 'x;quit', 'a\nquit', '<<', '${HOME}', '#', '"'),
    );
    fc.assert(
      fc.property(hostile, fc.integer(), fc.array(hostile), (text, number, options) => {
        const command = { ...add, server: text, port: number, options };
        let line = '';
        try {
          line = encodeAddServer(command);
        } catch (error) {
          expect(error).toBeInstanceOf(RuntimeApiError);
          return;
        }
        expect(line).not.toMatch(/[\n\r;\\#$"']/);
        const words = line.split(' ');
        expect(words.length).toBe(8 + options.length + 4 - 2 * countPool(options));
      }),
    );
  });
});

function countPool(options: readonly string[]): number {
  return ['pool-purge-delay', 'pool-max-conn'].filter((name) => options.includes(name)).length;
}
