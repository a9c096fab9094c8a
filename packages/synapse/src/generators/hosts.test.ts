import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { HostResolver } from './hosts.js';

function resolver(answers: Map<string, string | readonly string[] | Error>) {
  const clock = new FakeClock();
  const asked: string[] = [];
  let changes = 0;
  const hosts = new HostResolver({
    clock,
    onChange: () => (changes += 1),
    lookup: async (host) => {
      asked.push(host);
      const answer = answers.get(host) ?? new Error(`ENOTFOUND ${host}`);
      if (answer === 'silence') return new Promise<never>(() => undefined);
      if (answer instanceof Error) throw answer;
      return [answer].flat();
    },
  });
  return { clock, asked, hosts, changes: () => changes };
}

describe('HostResolver', () => {
  it('resolves names once, and leaves addresses and nonsense alone', async () => {
    const { hosts, asked } = resolver(new Map([['a.example', '10.0.0.1']]));
    const names = ['a.example', '10.0.0.9', '::1', 'a b', '-x', '', 'a.example'];
    expect(await hosts.resolve(names)).toEqual(new Map([['a.example', '10.0.0.1']]));
    await hosts.resolve(names);
    expect(asked).toEqual(['a.example']);
  });

  it('keeps the last good address while DNS is broken, and follows a change', async () => {
    const answers = new Map<string, string | readonly string[] | Error>([['a.example', '10.0.0.1']]);
    const { hosts, clock, changes } = resolver(answers);
    await hosts.resolve(['a.example']);
    answers.set('a.example', new Error('SERVFAIL'));
    await clock.advance(30_000);
    expect(await hosts.resolve(['a.example'])).toEqual(new Map([['a.example', '10.0.0.1']]));
    await clock.advance(0);
    expect(await hosts.resolve(['a.example'])).toEqual(new Map([['a.example', '10.0.0.1']]));
    expect(changes()).toBe(0);
    answers.set('a.example', '10.0.0.2');
    await clock.advance(30_000);
    await hosts.resolve(['a.example']);
    await clock.advance(0);
    expect(changes()).toBe(1);
    expect(await hosts.resolve(['a.example'])).toEqual(new Map([['a.example', '10.0.0.2']]));
  });

  it('keeps the address in use while the DNS names it among others, in whatever order', async () => {
    const answers = new Map<string, readonly string[]>([['a.example', ['10.0.0.1', '10.0.0.2']]]);
    const { hosts, clock, changes } = resolver(answers);
    await hosts.resolve(['a.example']);
    answers.set('a.example', ['10.0.0.2', '10.0.0.1']);
    await clock.advance(30_000);
    await hosts.resolve(['a.example']);
    await clock.advance(0);
    expect(await hosts.resolve(['a.example'])).toEqual(new Map([['a.example', '10.0.0.1']]));
    expect(changes()).toBe(0);
    answers.set('a.example', ['10.0.0.3', '10.0.0.2']);
    await clock.advance(30_000);
    await hosts.resolve(['a.example']);
    await clock.advance(0);
    expect(await hosts.resolve(['a.example'])).toEqual(new Map([['a.example', '10.0.0.3']]));
  });

  it('starts with the address that was used before, and asks again by itself while the DNS fails', async () => {
    const answers = new Map<string, string>();
    const { hosts, clock, asked, changes } = resolver(answers);
    const before = () => new Map([['a.example', '10.0.0.7']]);
    const names = ['a.example', 'b.example'];
    expect(await hosts.resolve(names, before)).toEqual(new Map([['a.example', '10.0.0.7']]));
    answers.set('a.example', '10.0.0.7');
    answers.set('b.example', '10.0.0.8');
    await clock.advance(5_000);
    expect(asked).toEqual(['a.example', 'b.example', 'a.example', 'b.example']);
    expect(changes()).toBe(1);
    expect(await hosts.resolve(names, before)).toEqual(
      new Map([
        ['a.example', '10.0.0.7'],
        ['b.example', '10.0.0.8'],
      ]),
    );
    await hosts.resolve([]);
    await clock.advance(60_000);
    expect(asked).toHaveLength(4);
  });

  it('says why a name has no address, and forgets names that left', async () => {
    const { hosts } = resolver(new Map());
    expect(await hosts.resolve(['gone.example'])).toEqual(new Map());
    expect(hosts.problems.get('gone.example')).toMatch(/ENOTFOUND/);
    await hosts.resolve([]);
    expect(hosts.problems.size).toBe(0);
  });

  it('waits for a silent DNS no longer than its deadline, and never with more than two names at once', async () => {
    const names = ['a.example', 'b.example', 'c.example', 'd.example'];
    const { hosts, clock, asked } = resolver(new Map(names.map((name) => [name, 'silence'])));
    const resolving = hosts.resolve(names);
    await clock.advance(500);
    expect(await resolving).toEqual(new Map());
    expect(asked).toEqual(['a.example', 'b.example']);
    expect(hosts.problems.size).toBe(4);
  });
});
