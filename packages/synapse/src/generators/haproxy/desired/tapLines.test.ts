import { describe, expect, it } from 'vitest';
import { aServer, aService, aState } from '../testing/sections.js';
import { structureReasons } from '../plan/planStructure.js';
import type { DesiredState, ServiceSections } from '../types.js';
import { isMeant, tapObstacles, whyNotTapped } from './tapClashes.js';
import { withoutSharedText } from './sharedRules.js';
import { isTapLine, withoutTap, withoutTapText, withTap } from './tapLines.js';
import { render } from './render.js';

const settings = { except: [] };

function service(
  name: string,
  own: readonly string[] = [],
  backend: readonly string[] = [],
): ServiceSections {
  const made = aService([aServer('a')], { service: name, lines: backend });
  const { frontend } = made;
  return { ...made, frontend: { ...frontend!, lines: [...own, ...frontend!.lines] } };
}
const linesOf = (state: DesiredState, at = 0): readonly string[] => state.services[at]?.frontend?.lines ?? [];
const isTapped = (state: DesiredState, at = 0): boolean => linesOf(state, at).some(isTapLine);

describe('the lines of the tap', () => {
  it('go into frontends in mode http, with a ring and a table, and leave again without a trace', () => {
    const plain = aState([
      service('web'),
      service('db', ['mode tcp']),
      { ...service('x'), frontend: undefined } as never,
    ]);
    const state = withTap(plain, settings);
    expect([0, 1, 2].map((at) => isTapped(state, at))).toEqual([true, false, false]);
    expect(state.base.map(({ title }) => title)).toEqual([
      ...['global', 'defaults', 'ring synapse-tap', 'backend synapse-tap'],
    ]);
    const { tap, ...back } = withoutTap(state);
    expect(tap).toBeUndefined();
    expect(back).toEqual(plain);
    expect(withTap(plain, undefined)).toBe(plain);
    expect(withTap(aState([service('db', ['mode tcp'])]), settings).base).toHaveLength(2);
    const text = withoutTapText(withoutSharedText(render(state))).split('\n');
    expect(text.filter((line) => line !== '')).toEqual(
      render(plain)
        .split('\n')
        .filter((line) => line !== ''),
    );
  });

  it('are the same values for the same sections, and one reason to reload for all of them', () => {
    const plain = aState([service('web'), service('api')]);
    const state = withTap(plain, settings);
    expect(withTap(plain, settings).services).toEqual(state.services);
    expect(withTap(state, settings).services[0]).toBe(state.services[0]);
    expect(withoutTap(state).services[0]).toBe(plain.services[0]);
    expect(structureReasons(state, plain).map(({ detail }) => detail)).toEqual([
      'the lines of the tap changed',
    ]);
    expect(structureReasons(plain, state)).toHaveLength(1);
    expect(structureReasons(state, withTap(plain, settings))).toEqual([]);
  });

  it('stand before the rules of the operator, and undo what would hide requests', () => {
    const own = [
      'tcp-request content accept',
      'option logasap',
      'http-request deny if x',
      'use_backend y if z',
    ];
    const state = withTap(aState([service('web', own)], ['mode http', 'option dontlog-normal']), settings);
    const lines = linesOf(state);
    const at = (start: string): number => lines.findIndex((line) => line.startsWith(start));
    expect(at('http-request set-var(txn.synapse_tap)')).toBeLessThan(at('http-request deny'));
    expect(at('http-request set-var(txn.synapse_tap)')).toBeGreaterThan(at('tcp-request'));
    for (const undone of ['no option logasap', 'no option dontlog-normal', 'option dontlognull'])
      expect(at(undone)).toBeGreaterThan(-1);
    const usual = withTap(aState([service('web')], ['mode http', 'option dontlognull']), settings);
    expect(linesOf(usual).some((line) => line.includes('option'))).toBe(false);
  });
});

describe('what keeps a service from being tapped', () => {
  const reason = (
    own: readonly string[],
    defaults: readonly string[] = [],
    global: readonly string[] = [],
    backend: readonly string[] = [],
  ): string | undefined => {
    const state = aState([service('web', own, backend)], ['mode http', ...defaults]);
    const [, ...rest] = state.base;
    return tapObstacles({ ...state, base: [{ title: 'global', lines: global }, ...rest] }, settings).get(
      'web',
    );
  };
  const local = 'log 127.0.0.1 local0';

  it.each([
    ['its own log', [local]],
    ['that of defaults', [], [local]],
    ['global, where it wants requests', [], ['log global'], [local]],
    [
      'one of several',
      [],
      ['log global'],
      [`${local} notice`, 'log /dev/log len 4096 format raw local1 info'],
    ],
    ['errors that are raised', [], ['log global', 'option log-separate-errors'], [`${local} notice`]],
    ['its format', ['option httplog']],
    ['its own format', ['log-format %ci']],
    ['its level', ['http-request set-log-level silent if x']],
    ['the level of defaults', [], ['http-request set-log-level silent if x']],
    ['the level of its backend', [], [], [], ['http-response set-log-level err if x']],
    ['mode tcp', ['mode tcp']],
  ])('%s', (_, ...lines) => expect(reason(...(lines as unknown as Parameters<typeof reason>))).toMatch(/\w/));

  it.each([
    ['a global log that nobody uses', [], [], [local]],
    ['one that takes no requests', [], ['log global'], [`${local} notice`]],
    ['with a length and a format', [], ['log global'], ['log stderr len 99 format raw daemon warning']],
    ['no log', ['no log'], ['log global'], [local]],
    ['a format for nobody', [], ['option httplog', 'log global'], []],
  ])('not %s', (_, ...lines) =>
    expect(reason(...(lines as unknown as Parameters<typeof reason>))).toBeUndefined(),
  );

  it('is said for people', () => {
    const plain = aState([service('web', [local]), service('api')]);
    const why = whyNotTapped(withTap(plain, { except: ['api'] }), { tap: true });
    expect(why('web')).toContain('no log');
    expect(why('api')).toContain('tap: false');
    expect([isMeant(why('web')), isMeant(why('api'))]).toEqual([false, true]);
    expect(whyNotTapped(plain, { tap: true })('web')).toContain('2.6');
    expect(whyNotTapped(plain, { tap: false })('web')).toContain('agent.yaml');
    const taken = { ...plain, base: [...plain.base, { title: 'backend synapse-tap', lines: [] }] };
    expect(tapObstacles(taken, settings).get('api')).toContain('already');
  });
});
