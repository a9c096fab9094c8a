import { describe, expect, it } from 'vitest';
import { structureReasons } from '../plan/planStructure.js';
import { blame } from '../file/blame.js';
import type { DesiredState, ServiceSections } from '../types.js';
import { budgetIssues } from './budgetIssues.js';
import { budgetLinesOf, withBudgets, withoutBudgets, withoutBudgetText } from './budgetLines.js';
import { withLatencies } from './latencyLines.js';
import { onceUnlessDeclared } from './policyLines.js';
import { render } from './render.js';

const policy = ['retries 2 # budget 20% and 10/s', onceUnlessDeclared];

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
): DesiredState {
  return {
    base: [
      { title: 'global', lines: [] },
      { title: 'defaults', lines: defaults },
    ],
    services,
  };
}

const ours = (state: DesiredState, name: string): readonly string[] =>
  state.services.filter(({ service: each }) => each === name).flatMap(budgetLinesOf);
const counterOf = (state: DesiredState, name: string): string | undefined =>
  /track-sc(\d)/.exec(ours(state, name).join('\n'))?.[1];
const reasons = (state: DesiredState, isAble = true): readonly string[] =>
  budgetIssues(withBudgets(state), isAble).map(({ service: name, reason }) => `${name}: ${reason}`);

describe('lines of a budget of retries', () => {
  it('compare what was tried again with what was asked, for each attempt one count', () => {
    const state = withBudgets(stateOf([service('web', [...policy, 'balance leastconn'])]));
    expect(ours(state, 'web').map((line) => line.replace(' # budget of retries', ''))).toEqual([
      'http-request track-sc1 str(web) table synapse-retries',
      'http-request set-var(txn.synapse_budget) sc_http_req_rate(1),mul(20),div(100),add(100)',
      'http-request set-var(txn.synapse_spent) bool(true) if { var(txn.synapse_idempotent) -m bool } { sc_gpc0_rate(1),sub(txn.synapse_budget) ge 0 }',
      'http-request disable-l7-retry if { var(txn.synapse_spent) -m bool }',
      'http-after-response set-var-fmt(txn.synapse_retries) %rc',
      'http-after-response set-var(txn.synapse_counted) sc_inc_gpc0(1) if { var(txn.synapse_retries) -m int ge 1 }',
      'http-after-response set-var(txn.synapse_counted) sc_inc_gpc0(1) if { var(txn.synapse_retries) -m int ge 2 }',
      'http-after-response set-var(txn.synapse_counted) sc_inc_gpc1(1) if { var(txn.synapse_spent) -m bool } { status ge 500 }',
    ]);
    const { lines } = state.services[0]!.backend;
    expect(lines.slice(0, 2)).toEqual(policy);
    expect(lines.at(-1)).toBe('balance leastconn');
    expect(state.base.at(-1)).toEqual({
      title: 'backend synapse-retries',
      lines: [
        'stick-table type string len 255 size 100k expire 60s store http_req_rate(10s),gpc0_rate(10s),gpc1 # budget of retries',
      ],
    });
  });

  it('come and go without a trace, and are the same values for the same sections', () => {
    const plain = stateOf([service('web', policy), service('db', ['retries 2'])]);
    const state = withBudgets(plain);
    expect(state.services[1]).toBe(plain.services[1]);
    expect(withoutBudgets(state)).toEqual(plain);
    expect(withBudgets(state).services).toEqual(state.services);
    expect(withBudgets(state).services[0]).toBe(withBudgets(plain).services[0]);
    const none = stateOf([service('db', ['retries 2'])]);
    expect(withBudgets(none)).toBe(none);
    const text = withoutBudgetText(render(state));
    expect(text.split('\n').filter((line) => line !== '')).toEqual(
      render(plain)
        .split('\n')
        .filter((line) => line !== ''),
    );
  });

  it('are shared by the levels of a service', () => {
    const tier: ServiceSections = {
      service: 'web@zone',
      backend: { name: 'web-zone', lines: policy, servers: [] },
    };
    const state = withBudgets(stateOf([service('web', policy), tier]));
    expect(ours(state, 'web@zone')[0]).toContain('str(web)');
  });

  it('stand before rules that end those about responses', () => {
    const own = ['http-after-response allow', ...policy];
    const { lines } = withBudgets(stateOf([service('web', own)])).services[0]!.backend;
    const at = (start: string): number => lines.findIndex((line) => line.startsWith(start));
    expect(at('http-after-response set-var')).toBe(0);
    expect(at('http-request track')).toBeGreaterThan(at('http-request disable'));
  });

  it('take a stick counter that is free on the way to the backend', () => {
    const tracking = ['http-request track-sc1 src table t'];
    const both = stateOf([service('web', policy, tracking), service('api', policy)]);
    const counted = withBudgets(withLatencies(both, { stickCounter: 2, except: [] }));
    expect([counterOf(counted, 'web'), counterOf(counted, 'api')]).toEqual(['0', '1']);
    const one = withBudgets(withLatencies(both, { stickCounter: 0, except: [] }));
    expect(counterOf(one, 'web')).toBe('2');
  });

  it('are left out with the reason where there is none, or HAProxy is too old', () => {
    const tracking = [0, 1].map((counter) => `http-request track-sc${counter} src table t`);
    const state = withLatencies(stateOf([service('web', [...tracking, ...policy]), service('api', policy)]), {
      stickCounter: 2,
      except: [],
    });
    expect(ours(withBudgets(state), 'web')).toEqual([]);
    expect(ours(withBudgets(state), 'api')).not.toEqual([]);
    expect(reasons(state)).toEqual([
      expect.stringMatching(
        /^web: the retries of its policy have no budget, .*use all three; `budget: false`/,
      ),
    ]);
    expect(reasons(stateOf([service('web', policy)]), false)).toEqual([
      expect.stringMatching(/^web: .*from 2\.6 on/),
    ]);
    expect(reasons(stateOf([service('web', policy), service('synapse-retries', [])]))).toEqual([
      expect.stringMatching(/there is already a section synapse-retries/),
    ]);
    expect(reasons(stateOf([service('web', ['retries 2'])]), false)).toEqual([]);
  });

  it('are one reason to reload, and to blame themselves', () => {
    const plain = stateOf([service('web', policy)]);
    const state = withBudgets(plain);
    expect(structureReasons(state, plain)).toEqual([
      { kind: 'lines-changed', detail: 'the lines of budgets of retries changed' },
    ]);
    const text = render(state);
    const line = text.split('\n').findIndex((each) => each.includes('set-var-fmt')) + 1;
    const message = { severity: 'error', line, text: 'no' } as const;
    expect(blame(message, text, state, () => undefined)).toEqual({ kind: 'budgets' });
  });
});
