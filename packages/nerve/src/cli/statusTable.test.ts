import { describe, expect, it } from 'vitest';
import { isWell, servicePage, servicesTable, type ServiceView } from './statusTable.js';

const now = Date.UTC(2030, 0, 31, 12);
const page = { now, width: undefined };
const web: ServiceView = {
  service: 'web',
  health: 'up',
  instance: { host: '10.0.0.5', port: 80, name: 'vm1' },
  registration: { kind: 'present', place: '/services/web/vm1_0000000001' },
  weight: { configured: 10, published: 10 },
  throttled: false,
  checks: [
    { name: 'http', health: 'up', streak: 0, last: { ok: true, at: now - 200, tookMs: 1.26 } },
    { name: 'ttl', health: 'down', streak: 0 },
  ],
  transitions: [
    { at: now - 7_200_000, to: 'down', reason: 'refused' },
    { at: now - 300_000, to: 'up' },
  ],
};
const drain = { since: now - 60_000, scope: 'service', phase: 'leaving' } as const;

/** The one row of a service, by column. */
function row(more: Partial<ServiceView>): Readonly<Record<string, string>> {
  const [header = '', line = ''] = servicesTable([{ ...web, ...more }], page);
  const names = header.split(/ +/);
  const cells = line.split(/ {2,}/);
  return Object.fromEntries(names.map((name, at) => [name, cells[at] ?? '']));
}

describe('servicesTable', () => {
  it('shows what counts of a service', () => {
    expect(row({})).toEqual({
      ...{ SERVICE: 'web', HEALTH: 'up', SINCE: '5m', REGISTRATION: 'present' },
      ...{ DRAIN: '-', WEIGHT: '10', CHECKS: '1/2', WHY: '-' },
    });
    expect(row({ transitions: [] }).SINCE).toBe('-');
    expect(servicesTable([], page)).toHaveLength(1);
  });

  it('shows each registry where there are several', () => {
    const reporters = [
      { reporter: 'zookeeper', kind: 'present' },
      { reporter: 'etcd', kind: 'pending' },
    ] as const;
    expect(row({ registration: { kind: 'pending', reporters } }).REGISTRATION).toBe(
      'pending (zookeeper present, etcd pending)',
    );
  });

  it.each([
    [{}, '-'],
    [{ configured: 10, published: 4 }, '4 of 10'],
    [{ configured: 10, ordered: { value: 0, since: 1 }, published: 0 }, '0 (ordered)'],
    [{ configured: 10, ordered: { value: 20, since: 1 }, published: 12 }, '12 of 20 (ordered)'],
    [{ configured: 10 }, '10'],
    [{ published: 3 }, '3 of -'],
  ])('shows the weight %j as %s', (weight, text) => {
    expect(row({ weight }).WEIGHT).toBe(text);
  });

  it('says why a service takes no part: its health first', () => {
    const registration = { kind: 'absent', error: 'no connection' } as const;
    const all = { registration, throttled: true, held: 'flapping', drain, reason: 'refused' };
    expect(row(all).WHY).toBe('refused');
    const well = { ...all, reason: undefined };
    expect(row(well).WHY).toBe('since 2030-01-31T11:59:00Z');
    const undrained = { ...well, drain: undefined };
    expect(row(undrained).WHY).toBe('flapping');
    const free = { ...undrained, held: undefined };
    expect(row(free).WHY).toBe('waits for its rate limit');
    expect(row({ ...free, throttled: false }).WHY).toBe('no connection');
  });

  it('says whose drain it is, why, by whom and until when', () => {
    const host = { ...drain, scope: 'host' as const, by: 'ann', reason: 'new disk', until: now };
    expect(row({ drain: host })).toMatchObject({
      DRAIN: 'leaving (host)',
      WHY: 'since 2030-01-31T11:59:00Z, until 2030-01-31T12:00:00Z, by ann, because: new disk',
    });
  });
});

describe('servicePage', () => {
  it('shows all that is known of a service', () => {
    const ordered = { value: 5, by: 'bob', since: now };
    const text = servicePage(
      { ...web, drain, held: 'flapping', weight: { configured: 10, ordered } },
      page,
    ).join('\n');
    expect(text).toBe(
      [
        'service       web',
        'health        up, since 5m',
        'address       10.0.0.5:80 as vm1',
        'registration  present at /services/web/vm1_0000000001',
        'held          flapping',
        'drain         leaving, since 2030-01-31T11:59:00Z',
        'weight        configured 10, ordered 5 by bob, published -',
        '',
        'CHECK  HEALTH  LAST  AGE  TOOK    REASON',
        'http   up      pass  0s   1.3 ms  -',
        'ttl    down    -     -    -       -',
        '',
        'CHANGED               TO    REASON',
        '2030-01-31T11:55:00Z  up    -',
        '2030-01-31T10:00:00Z  down  refused',
      ].join('\n'),
    );
  });

  it('shows the last results of each check, newest first', () => {
    const past = [
      { ok: false, reason: 'refused', at: now - 5_000, tookMs: 0.4 },
      { ok: true, at: now - 200, tookMs: 1.26 },
    ];
    const [http, ttl] = web.checks;
    const checks = [
      { ...http, history: past },
      { ...ttl, history: past.slice(0, 1) },
    ] as ServiceView['checks'];
    expect(servicePage({ ...web, checks }, page)).toEqual(
      expect.arrayContaining([
        'CHECK  AT                    RESULT  TOOK    REASON',
        'http   2030-01-31T11:59:59Z  pass    1.3 ms  -',
        'http   2030-01-31T11:59:55Z  fail    0.4 ms  refused',
        'ttl    2030-01-31T11:59:55Z  fail    0.4 ms  refused',
      ]),
    );
  });

  it('keeps what others wrote from reaching the terminal as a command', () => {
    const text = servicePage({ ...web, reason: '\x1b]0;title\x07\nservice       other' }, { now, width: 60 });
    expect(text.join('')).not.toMatch(/\p{Cc}/u);
    expect(text.filter((line) => line.startsWith('service '))).toHaveLength(1);
    expect(Math.max(...text.map((line) => line.length))).toBeLessThanOrEqual(60);
  });
});

describe('isWell', () => {
  it('is what is up and not drained', () => {
    expect(
      [{}, { health: 'starting' as const }, { health: 'down' as const }, { drain }].map((more) =>
        isWell({ ...web, ...more }),
      ),
    ).toEqual([true, false, false, false]);
  });
});
