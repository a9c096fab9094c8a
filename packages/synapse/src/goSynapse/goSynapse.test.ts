import { createMetrics } from '@smartstack/agent';
import { describe, expect, it } from 'vitest';
import { Catalog } from '../catalog/catalog.js';
import type { CatalogRules } from '../catalog/definition.js';
import { createSynapseMetrics } from '../metrics.js';
import { goSynapseMetrics, registryCounts } from './metrics.js';
import { readyRoute } from './ready.js';

const rules: CatalogRules = {
  ...{ defaultServers: [{ host: 'spare', port: 1 }], keepDefaultServers: false, usePreviousBackends: true },
  ...{ leaderElection: false, labelFilters: [], blocks: {} },
};
const host = (name: string, more: object = {}) => ({ host: name, port: 1, ...more });

describe('the metrics of go-synapse', () => {
  it('count what the registry holds, whatever stands in or is held', () => {
    const catalog = new Catalog();
    catalog.define(new Map(['web', 'empty', 'unknown'].map((name) => [name, rules])), 0, 0);
    const instances = [host('a'), host('b'), host('c', { available: false }), host('d', { held: true })];
    catalog.update('web', { status: 'live', instances }, 0);
    catalog.update('empty', { status: 'live', instances: [host('a')] }, 0);
    catalog.update('empty', { status: 'stale', instances: [] }, 0);
    expect(registryCounts(catalog, 0)).toEqual([
      { service: 'web', available: 2, unavailable: 1 },
      { service: 'empty', available: 0, unavailable: 0 },
    ]);
  });

  it('are made of ours, under its names', async () => {
    const metrics = createMetrics();
    const ours = createSynapseMetrics(metrics);
    ours.passed('haproxy', 'reload', 0, 0);
    ours.passed('haproxy', 'failed', 0, 0);
    ours.passed('haproxy', 'failed', 0, 0);
    ours.passed('template', 'write', 0, 0);
    ours.undecodable('web');
    const commands = metrics.counter({
      ...{ name: 'smartstack_haproxy_runtime_command_total', help: 'x', labels: ['result'] },
    });
    commands.inc({ result: 'done' });
    commands.inc({ result: 'failed' });
    const counts = [
      { service: 'web', available: 2, unavailable: 1 },
      { service: 'odd"\\\n', available: 0, unavailable: 0 },
    ];
    const { body } = await metrics.expose();
    const odd = String.raw`odd\"\\\n`;
    expect(goSynapseMetrics(body, counts).split('\n')).toEqual([
      '# HELP synapse_service_available_count Registrations that take requests.',
      '# TYPE synapse_service_available_count gauge',
      'synapse_service_available_count{service="web"} 2',
      `synapse_service_available_count{service="${odd}"} 0`,
      '# HELP synapse_service_unavailable_count Registrations that take none.',
      '# TYPE synapse_service_unavailable_count gauge',
      'synapse_service_unavailable_count{service="web"} 1',
      `synapse_service_unavailable_count{service="${odd}"} 0`,
      '# HELP synapse_router_update_failure Passes of generators, or commands, that failed.',
      '# TYPE synapse_router_update_failure gauge',
      'synapse_router_update_failure{type="haproxy"} 2',
      'synapse_router_update_failure{type="template"} 0',
      'synapse_router_update_failure{type="haproxy_socket"} 1',
      '# HELP synapse_watcher_failure Registrations that could not be understood.',
      '# TYPE synapse_watcher_failure gauge',
      'synapse_watcher_failure{service="web",type="content"} 1',
      `synapse_watcher_failure{service="${odd}",type="content"} 0`,
      '',
    ]);
  });

  it('are none before there is anything to tell', () => {
    expect(goSynapseMetrics('', [])).toBe('');
  });
});

describe('/ready', () => {
  it.each([
    [true, 200, 'true'],
    [false, 503, 'false'],
  ])('says %s with %i', async (ok, status, body) => {
    const asked = {} as Parameters<ReturnType<typeof readyRoute>['handle']>[0];
    expect(await readyRoute(() => ({ ok, reasons: ['x'] })).handle(asked)).toMatchObject({ status, body });
  });
});
