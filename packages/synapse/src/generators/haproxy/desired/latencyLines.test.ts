import { describe, expect, it } from 'vitest';
import { latencyBounds } from '../../../traffic/latency.js';
import type { DesiredState, ServiceSections } from '../types.js';
import { structureReasons } from '../plan/planStructure.js';
import { clashReasons } from './latencyClashes.js';
import { isLatencyLine, withLatencies, withoutLatencies, withoutLatencyText } from './latencyLines.js';
import { render } from './render.js';
import { withoutSharedText } from './sharedRules.js';

const settings = { stickCounter: 2, except: [] };

function service(name: string, lines: readonly string[], frontend: readonly string[] = []): ServiceSections {
  return {
    service: name,
    frontend: { title: `frontend ${name}`, lines: [...frontend, `default_backend ${name}`] },
    backend: { name, lines, servers: [] },
  };
}

function stateOf(
  services: readonly ServiceSections[],
  defaults: readonly string[] = ['mode http'],
  more: Partial<DesiredState> = {},
): DesiredState {
  return {
    base: [
      { title: 'global', lines: [] },
      { title: 'defaults', lines: defaults },
    ],
    services,
    ...more,
  };
}

const linesOf = (state: DesiredState, name: string): readonly string[] =>
  state.services.find((each) => each.service === name)?.backend.lines ?? [];
const counts = (state: DesiredState, name: string): boolean => linesOf(state, name).some(isLatencyLine);

describe('lines that count latencies', () => {
  it('go into backends in mode http alone, with one table for all, and leave again without a trace', () => {
    const plain = stateOf([service('web', []), service('db', ['mode tcp']), service('api', ['mode http'])]);
    const state = withLatencies(plain, settings);
    expect(['web', 'db', 'api'].map((name) => counts(state, name))).toEqual([true, false, true]);
    expect(state.base.map(({ title }) => title)).toEqual(['global', 'defaults', 'backend synapse-latencies']);
    expect(linesOf(state, 'web')).toHaveLength(latencyBounds.length + 1 + 5);
    const { latencies, ...back } = withoutLatencies(state);
    expect(latencies).toBeUndefined();
    expect(back).toEqual(plain);
    expect(withLatencies(plain, undefined)).toBe(plain);
  });

  it('cover each latency exactly once, whatever the clock did', () => {
    const lines = linesOf(withLatencies(stateOf([service('web', [])]), settings), 'web');
    const tests = lines.flatMap((line) => /-m int (.*) \} #/.exec(line)?.[1] ?? []);
    const holds = (test: string, value: number): boolean => {
      const [from, to] = test.split(':').map(Number);
      if (test.startsWith('le ')) return value <= Number(test.slice(3));
      if (test.startsWith('gt ')) return value > Number(test.slice(3));
      return value >= from! && value <= to!;
    };
    for (const value of [
      -5, 0, 500, 501, 1_000, 2_500, 4_999, 5_001, 99_999, 100_001, 10_000_000, 10_000_001, 1e12,
    ])
      expect(tests.filter((test) => holds(test, value))).toHaveLength(1);
    expect(tests.findIndex((test) => holds(test, 500))).toBe(0);
    expect(tests.findIndex((test) => holds(test, 5_001))).toBe(4);
  });

  it('stand where HAProxy warns of no order, and before whatever ends the rules of the operator', () => {
    const own = [
      'http-response allow',
      'acl a path /',
      'tcp-request content accept',
      'http-request allow if a',
      'redirect prefix /b',
    ];
    const lines = linesOf(withLatencies(stateOf([service('web', own)]), settings), 'web');
    const at = (start: string): number => lines.findIndex((line) => line.startsWith(start));
    expect(at('http-request set-var')).toBe(at('tcp-request') + 1);
    expect(at('http-request set-var')).toBeLessThan(at('http-request allow'));
    expect(at('http-response sc-inc')).toBeLessThan(at('http-response allow'));
    expect(lines.filter((line) => !isLatencyLine(line))).toEqual(own);
  });

  it('leave out whom an operator leaves out, with the tiers', () => {
    const tier = {
      ...service('web', []),
      service: 'web@zone',
      backend: { name: 'web.zone', lines: [], servers: [] },
    };
    const state = withLatencies(stateOf([service('web', []), tier, service('api', [])]), {
      ...settings,
      except: ['web'],
    });
    expect(state.services.map(({ service: name }) => counts(state, name))).toEqual([false, false, true]);
  });

  it('stay the same values for the same sections', () => {
    const plain = stateOf([service('web', []), service('api', [])]);
    const first = withLatencies(plain, settings);
    const second = withLatencies({ ...plain, services: [...plain.services] }, { ...settings });
    expect(second.base).toBe(first.base);
    second.services.forEach((sections, index) => expect(sections).toBe(first.services[index]));
    const third = withLatencies(first, settings);
    third.services.forEach((sections, index) => expect(sections).toBe(first.services[index]));
  });

  it('are one reason to reload, however many services have them', () => {
    const plain = stateOf([service('web', []), service('api', []), service('db', ['mode tcp'])]);
    const counting = withLatencies(plain, settings);
    const reason = { kind: 'lines-changed', detail: 'the lines that count latencies changed' };
    expect(structureReasons(counting, plain)).toEqual([reason]);
    expect(structureReasons(plain, counting)).toEqual([reason]);
    expect(structureReasons(withLatencies(plain, { ...settings, stickCounter: 1 }), counting)).toEqual([
      reason,
    ]);
    expect(structureReasons(counting, withLatencies(plain, settings))).toEqual([]);
    // What else changes keeps its own reason.
    const other = withLatencies(
      stateOf([service('web', ['balance first']), ...plain.services.slice(1)]),
      settings,
    );
    expect(structureReasons(other, counting)).toEqual([
      { kind: 'lines-changed', detail: 'lines of its backend changed', service: 'web' },
    ]);
  });
});

it('lines that count latencies leave no trace in a text that is compared without them', () => {
  const plain = stateOf([service('web', ['balance first'])]);
  const text = withoutLatencyText(withoutSharedText(render(withLatencies(plain, settings))));
  const lines = (each: string): readonly string[] => each.split('\n').filter((line) => line !== '');
  expect(lines(text)).toEqual(lines(render(plain)));
});

describe('a stick counter that is taken', () => {
  const reasons = (state: DesiredState): readonly string[] =>
    clashReasons(state, settings).map(({ service: name, reason }) => `${name}: ${reason}`);

  it.each([
    'http-request track-sc2 src table t',
    'http-response sc-inc-gpc0(2)',
    'http-request sc-inc-gpc(0,2) if TRUE',
    'http-request deny if { sc2_http_req_rate gt 5 }',
    'http-request deny if { sc_http_req_rate(2) gt 5 }',
    'http-request deny if { sc_get_gpc(1,2) gt 5 }',
  ])('by its own lines leaves a service out, which is told: %s', (line) => {
    const state = stateOf([service('web', [line]), service('api', [], [line]), service('other', [])]);
    const result = withLatencies(state, settings);
    expect(['web', 'api', 'other'].map((name) => counts(result, name))).toEqual([false, false, true]);
    expect(reasons(state)).toEqual([
      expect.stringMatching(
        /^web: its latencies are not counted: lines of its backend use stick counter 2; `traffic/,
      ),
      expect.stringMatching(/^api: .* lines of frontend api use stick counter 2/),
    ]);
  });

  it.each([
    'http-request track-sc1 src table t',
    'http-request deny if { sc1_http_req_rate gt 2 }',
    'http-request deny if { sc_http_req_rate(1) gt 2 }',
    'http-request sc-inc-gpc(2,1)',
  ])('is another one than: %s', (line) => {
    expect(reasons(stateOf([service('web', [line])]))).toEqual([]);
  });

  it('is one on the way to a backend, too', () => {
    const track = 'http-request track-sc2 src table t';
    const services = [service('web', []), service('api', [])];
    const through = service('edge', [], [track, 'use_backend api if { path /api }']);
    expect(reasons(stateOf([...services, through])).map((text) => text.split(':')[0])).toEqual([
      'api',
      'edge',
    ]);
    const anywhere = service('edge', [], [track, 'use_backend %[path,map(/x)]']);
    expect(reasons(stateOf([...services, anywhere]))).toHaveLength(3);
    expect(reasons(stateOf(services, ['mode http', track]))).toHaveLength(2);
    const sharedFrontend = { title: 'frontend shared-frontend', lines: [track, 'use_backend web if TRUE'] };
    expect(reasons(stateOf(services, ['mode http'], { sharedFrontend }))).toHaveLength(1);
  });

  it('is no worse than a section of the same name, or a name that is too long for a key', () => {
    expect(reasons(stateOf([service('synapse-latencies', [])]))).toEqual([
      'synapse-latencies: its latencies are not counted: there is already a section synapse-latencies',
    ]);
    expect(reasons(stateOf([service('x'.repeat(117), []), service('y'.repeat(116), [])]))).toHaveLength(1);
  });
});
