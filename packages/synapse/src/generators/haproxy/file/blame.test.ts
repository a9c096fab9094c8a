import { describe, expect, it } from 'vitest';
import { blame } from './blame.js';
import { parseConfigMessages } from './configMessages.js';
import { render } from '../desired/render.js';
import type { DesiredState } from '../types.js';

const server = (name: string) => ({
  name,
  address: '10.0.0.1',
  port: 80,
  id: 1,
  options: [],
  disabled: false,
});
const desired: DesiredState = {
  base: [
    { title: 'global', lines: ['maxconn 10'] },
    { title: 'listen stats', lines: ['bind :1'] },
  ],
  services: [
    {
      service: 'web',
      frontend: { title: 'frontend web', lines: ['bind :80'] },
      backend: { name: 'web-pool', lines: ['balance roundrobin'], servers: [server('a'), server('b')] },
    },
    { service: 'api', backend: { name: 'api', lines: [], servers: [server('a')] } },
  ],
  sharedFrontend: { title: 'frontend shared-frontend', lines: ['bind :81', 'acl x path /x'] },
};
const text = render(desired);
const lineOf = (part: string): number => text.split('\n').findIndex((line) => line.includes(part)) + 1;
const owner = (line: string): string | undefined => (line === 'acl x path /x' ? 'web' : undefined);
const at = (part: string) =>
  blame({ severity: 'error', text: 'bad', line: lineOf(part) }, text, desired, owner);
const named = (message: string) => blame({ severity: 'error', text: message }, text, desired, owner);

describe('parseConfigMessages', () => {
  it('reads what HAProxy 2.6 writes', () => {
    const output = [
      '[NOTICE]   (7842) : haproxy version is 2.6.12-1+deb12u4',
      '[NOTICE]   (7842) : path to executable is /usr/sbin/haproxy',
      "[WARNING]  (7842) : config : parsing [a.cfg:12] : 'option httplog' not usable with frontend 'x' (needs 'mode http').",
      "[ALERT]    (7842) : config : [/tmp/a b.cfg:17] : 'server bad/s2' : unknown keyword 'chek'; did you mean 'check' maybe ?",
      "[ALERT]    (7842) : config : Proxy 'web': unable to find required default_backend: 'nope'.",
      '[ALERT]    (7842) : config : Error(s) found in configuration file : a.cfg',
      '[ALERT]    (7842) : config : Fatal errors found in configuration.',
      'a line of its own',
    ].join('\n');
    expect(parseConfigMessages(output)).toEqual([
      {
        severity: 'warning',
        line: 12,
        text: "'option httplog' not usable with frontend 'x' (needs 'mode http').",
      },
      {
        severity: 'error',
        line: 17,
        text: "'server bad/s2' : unknown keyword 'chek'; did you mean 'check' maybe ?",
      },
      { severity: 'error', text: "Proxy 'web': unable to find required default_backend: 'nope'." },
    ]);
  });
});

describe('blame', () => {
  it('finds the server, the service or the base that a line belongs to', () => {
    expect(at('server b ')).toEqual({ kind: 'server', service: 'web', server: 'b' });
    expect(at('balance roundrobin')).toEqual({ kind: 'service', service: 'web' });
    expect(at('bind :80')).toEqual({ kind: 'service', service: 'web' });
    expect(at('backend api')).toEqual({ kind: 'service', service: 'api' });
    expect(at('maxconn')).toEqual({ kind: 'base' });
    expect(at('listen stats')).toEqual({ kind: 'base' });
    expect(at('acl x')).toEqual({ kind: 'shared-lines', service: 'web' });
    expect(at('bind :81')).toEqual({ kind: 'base' });
  });

  it('finds the bind line that nobody can listen on, and blames nobody for a limit', () => {
    const line = text.split('\n').findIndex((each) => each.includes('bind :81')) + 1;
    const message = { severity: 'error', text: 'taken', line, isAddress: true } as const;
    expect(blame(message, text, desired, () => undefined)).toMatchObject({ kind: 'bind', line: 'bind :81' });
    const limit = { severity: 'error', text: "backend 'web'", isLimit: true } as const;
    expect(blame(limit, text, desired, owner)).toEqual({ kind: 'base', isLimit: true });
  });

  it('finds who is named when there is no line', () => {
    expect(named("Proxy 'web': unable to find required default_backend")).toEqual({
      kind: 'service',
      service: 'web',
    });
    expect(named("backend 'web-pool' has no server")).toEqual({ kind: 'service', service: 'web' });
    expect(named("'server web-pool/b' : failed")).toEqual({ kind: 'server', service: 'web', server: 'b' });
    expect(named('out of memory')).toBeUndefined();
  });

  it('survives line numbers that are not there', () => {
    for (const line of [0, -1, 10_000, Number.NaN]) {
      expect(() => blame({ severity: 'error', text: 'x', line }, text, desired, owner)).not.toThrow();
    }
  });
});
