import { describe, expect, it } from 'vitest';
import { Failures } from './failures.js';
import type { AppliedCommand } from './runtime/apply.js';
import type { CommandOutcome } from './runtime/runtimeApi.js';

const outcomeOf = (result: CommandOutcome['result']): CommandOutcome => ({ result, detail: 'why' });
const replaced = (result: CommandOutcome['result']): readonly AppliedCommand[] => [
  { command: { kind: 'remove-server', backend: 'web', server: 'a' }, outcome: outcomeOf(result) },
  {
    command: {
      kind: 'add-server',
      backend: 'web',
      server: 'a',
      address: '10.0.0.1',
      port: 80,
      id: 1,
      options: [],
      weight: 1,
      checked: false,
    },
    outcome: outcomeOf(result),
  },
];
const details = (failures: Failures, applied: readonly AppliedCommand[], now: number): readonly string[] =>
  failures.note(applied, now).map(({ kind, detail }) => `${kind} ${detail}`);

describe('Failures', () => {
  it('asks for a reload when the same server fails in two passes', () => {
    const failures = new Failures();
    expect(details(failures, replaced('failed'), 0)).toEqual([]);
    expect(failures.size).toBe(1);
    expect(details(failures, replaced('failed'), 1)[0]).toBe('runtime-failed web/a: why');
    expect(details(failures, [], 2)).toEqual([]);
    expect(failures.size).toBe(0);
    expect(details(failures, replaced('failed'), 3)).toEqual([]);
  });

  it('lets a replacement wait for connections that last, but not for ever', () => {
    const failures = new Failures();
    for (const now of [0, 5_000, 9_999]) expect(details(failures, replaced('lingering'), now)).toEqual([]);
    expect(failures.size).toBe(0);
    expect(details(failures, replaced('lingering'), 10_000)).toEqual(['runtime-failed web/a: why']);
    failures.clear();
    expect(details(failures, replaced('lingering'), 10_001)).toEqual([]);
  });

  it('lets a server that is only taken out wait as long as its connections last', () => {
    const failures = new Failures();
    const [removal] = replaced('lingering');
    for (const now of [0, 3_600_000]) expect(details(failures, [removal!], now)).toEqual([]);
  });
});
