import { describe, expect, it } from 'vitest';
import { findings, samplesOf, statsLink } from './health.js';

describe('findings', () => {
  it('are none where all is well, and where nothing is said', () => {
    expect(findings({}, 0)).toEqual([]);
    const well = {
      generator: 'haproxy',
      outcome: 'unchanged',
      details: { processes: [{ socket: '/s', pid: 1, loaded: 'ours' }] },
    };
    expect(
      findings(
        { zookeeper: [{ kind: 'connected' }], services: [{ name: 'a', source: 'live' }], generators: [well] },
        0,
      ),
    ).toEqual([]);
  });

  it('name what is wrong, the worst first', () => {
    const found = findings(
      {
        configuration: { issues: ['a.yaml:1:2: no'] },
        zookeeper: [{ ensemble: 'zk:1', kind: 'suspended', since: 1_000, reason: 'gone' }],
        services: [
          ...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, source: 'stale' })),
          { name: 'g', source: 'live', held: 2, problemCount: 1 },
          { name: 'h', source: 'pending' },
        ],
        generators: [
          {
            ...{ generator: 'haproxy', outcome: 'failed', error: 'disk full', waitingFor: ['h'] },
            details: {
              processes: [{ socket: '/s' }, { socket: '/t', pid: 2, loaded: 'unknown' }],
              quarantined: [
                {
                  culprit: { kind: 'server', service: 'a', server: 'x' },
                  reason: 'bad line',
                  kept: 'last-good',
                },
              ],
              oldWorkers: Array.from({ length: 6 }, (_, pid) => ({ pid, ageSeconds: 1, drainingSeconds: 1 })),
              unresolvedHosts: { 'x.example': 'no' },
            },
          },
        ],
      },
      61_000,
    );
    expect(found.map(({ level, text }) => `${level} ${text}`)).toEqual([
      'bad ZooKeeper zk:1: suspended for 1 min',
      'bad haproxy is behind',
      'bad Quarantined: server a/x (as it was before)',
      'bad HAProxy does not answer',
      'fair haproxy waits for the first news',
      'fair HAProxy runs a configuration that is not ours',
      'fair Hosts without an address',
      'fair 6 old workers',
      'fair Configuration',
      'fair Sources that are lost',
      'fair Services without any news yet',
      'fair Instances that vanished with most others are held',
      'fair Registrations that cannot be read',
    ]);
    expect(found.find(({ text }) => text === 'Sources that are lost')?.detail).toBe(
      'a, b, c, d, e and 1 more: what they told last stays.',
    );
  });
});

describe('samples of metrics', () => {
  it('are those of one metric, with their labels', () => {
    const text =
      '# HELP x_total X.\nx_total{reason="a \\"b\\"\\n",result="ok"} 3\nx_total 4\nx_total_more 5\nother{x_total="1"} 6\n';
    expect(samplesOf(text, 'x_total')).toEqual([
      { name: 'x_total', labels: { reason: 'a "b"\n', result: 'ok' }, value: 3 },
      { name: 'x_total', labels: {}, value: 4 },
    ]);
  });
});

describe('the link to the stats page', () => {
  it.each([
    [undefined, undefined],
    ['127.0.0.1:3212', 'http://127.0.0.1:3212/'],
    ['*:3212', 'http://here:3212/'],
    [':3212', 'http://here:3212/'],
    ['ipv4@10.0.0.1:80', 'http://10.0.0.1:80/'],
    [':::3212', 'http://here:3212/'],
    ['::1:3212', 'http://[::1]:3212/'],
    ['[::1]:3212', 'http://[::1]:3212/'],
    ['/run/stats.sock', undefined],
    ['javascript:alert(1)', undefined],
  ])('%j is %j', (address, link) => expect(statsLink(address, 'here')).toBe(link));
});
