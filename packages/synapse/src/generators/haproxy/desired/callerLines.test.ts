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
