import { expect, it } from 'vitest';
import { aView, desire } from '../testing/desire.js';
import { callerIn, callerOfListener } from './callerLines.js';

it('callers get addresses of their own, which nobody else may have', () => {
  const callers = [
    { name: 'batch', port: 81 },
    { name: 'shop', socket: '/run/shop/web.sock', bind_options: 'mode 660' },
  ];
  const { desired, issues } = desire([
    aView([], { port: 80, bind_address: '10.0.0.1', bind_options: 'tfo', callers }, { name: 'web' }),
    aView([], { port: null, bind_address: '*:90', callers: [{ name: 'a', port: 91 }] }, { name: 'any' }),
    aView([], { port: 92, callers: [{ name: 'b', socket: '/run/shop/web.sock' }] }, { name: 'thief' }),
    aView([], { callers: [{ name: 'a', port: 99 }] }, { name: 'hidden' }),
  ]);
  expect(desired.services.map(({ service, frontend }) => [service, frontend?.lines.slice(0, -1)])).toEqual([
    [
      'web',
      [
        'bind 10.0.0.1:80 tfo',
        'option socket-stats',
        'bind 10.0.0.1:81 name caller-batch',
        'bind /run/shop/web.sock name caller-shop mode 660',
      ],
    ],
    ['any', ['bind *:90', 'option socket-stats', 'bind localhost:91 name caller-a']],
    ['thief', undefined],
    ['hidden', undefined],
  ]);
  expect(issues.map(({ severity, reason }) => `${severity}: ${reason}`)).toEqual([
    'error: /run/shop/web.sock already belongs to service web: the service gets no frontend',
    expect.stringContaining('warning: callers: without a `port`'),
  ]);
});

it.each<[unknown, string, string | undefined]>([
  [{ port: '3300-3399' }, 'bind localhost:3300-3399', 'localhost:3300-3399'],
  [{ port: '1000-5000', bind_address: '10.0.0.1' }, 'bind 10.0.0.1:1000-5000', '10.0.0.1:1000-5000'],
  [{ port: null, bind_address: '127.0.0.1:3313' }, 'bind 127.0.0.1:3313', '127.0.0.1:3313'],
  [{ port: 80, frontend: ['bind :90,127.0.0.1:3313 ssl'] }, 'bind localhost:80', '127.0.0.1:3313'],
  [{ port: 80, listen: ['bind 127.0.0.1:3310-3319'] }, 'bind localhost:80', '127.0.0.1:3310-3319'],
  [{ port: '3314-3399' }, 'bind localhost:3314-3399', undefined],
  [{ port: 80, frontend: ['bind 10.9.9.9:3313'] }, 'bind localhost:80', undefined],
  // The kernel prefers who listens at the very address.
  [{ port: 80, frontend: ['bind :3313'] }, 'bind localhost:80', undefined],
])('the caller of port 3313 is apart from %j, or gets no address', (keys, bind, taken) => {
  const callers = [
    { name: 'batch', port: 3313 },
    { name: 'shop', port: 81 },
  ];
  const { desired, issues } = desire([aView([], { ...(keys as object), callers }, { name: 'web' })]);
  const lines = desired.services[0]?.frontend?.lines ?? [];
  expect(lines.some((line) => line.endsWith('caller-shop'))).toBe(true);
  expect(lines).toContain(bind);
  expect(lines.some((line) => line.endsWith(':3313 name caller-batch'))).toBe(taken === undefined);
  const told = issues.map(({ severity, reason }) => `${severity}: ${reason}`);
  if (taken === undefined) expect(told).toEqual([]);
  else {
    expect(told).toEqual([
      expect.stringMatching(/^error: callers: batch gets no address of its own, as .*:3313/),
    ]);
    expect(told[0]).toContain(taken);
  }
});

it('the socket of a caller is apart from those of the service', () => {
  const callers = [{ name: 'batch', socket: '/run/a.sock' }];
  const block = { port: 80, frontend: ['bind unix@/run/a.sock mode 600'], callers };
  const { desired, issues } = desire([aView([], block, { name: 'web' })]);
  expect(desired.services[0]?.frontend?.lines.join('\n')).not.toContain('caller-batch');
  expect(issues).toMatchObject([{ severity: 'error', service: 'web' }]);
});

it.each([
  ['bind localhost:81 name caller-a', 'a'],
  ['\tbind /run/a.sock  name  caller-a:b mode 660', 'a:b'],
  ['bind localhost:81 name callers', undefined],
  ['bind localhost:81', undefined],
  ['# bind localhost:81 name caller-a', undefined],
])('%j is that of %s', (line, caller) => expect(callerIn(line)).toBe(caller));

it('listeners of callers are known by their names', () => {
  expect(['caller-a', 'sock-1', 'a'].map(callerOfListener)).toEqual(['a', undefined, undefined]);
});
