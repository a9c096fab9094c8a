import { describe, expect, it } from 'vitest';
import type { ServerLine, ServiceLine } from '../explain/shapes.js';
import { planPage, serversTable, servicesTable } from './pages.js';

const page = { now: 0, width: undefined };

describe('planPage', () => {
  const add = (backend: string, id: number) => ({
    ...{ kind: 'add-server', target: `${backend}/a_10.0.0.1:80`, detail: `10.0.0.1:80 id ${id} weight 1` },
  });
  const pageOf = (commands: Parameters<typeof planPage>[0]['generators'][number]['commands']) =>
    planPage(
      { generators: [{ generator: 'haproxy', commands, reload: [], files: [], notes: [] }], waitingFor: [] },
      page,
    );

  it('has what is done to a server in each tier of its service in one line', () => {
    const service = 'web';
    expect(
      pageOf([{ ...add('web', 3), service }, { ...add('web.zone', 7), service }, add('other', 1)]),
    ).toEqual([
      'haproxy: add-server web/a_10.0.0.1:80 10.0.0.1:80 weight 1 (in web, web.zone)',
      'haproxy: add-server other/a_10.0.0.1:80 10.0.0.1:80 id 1 weight 1',
    ]);
  });

  it('keeps apart what differs, and what other services do', () => {
    const state = { kind: 'set-state', target: 'web.zone/a', service: 'web' };
    expect(
      pageOf([
        { ...state, detail: 'maint' },
        { ...state, target: 'web/a', detail: 'ready' },
      ]),
    ).toEqual(['haproxy: set-state web/a maint (in web.zone)', 'haproxy: set-state web/a ready (in web)']);
    expect(pageOf([add('x', 1), add('x', 1)])).toHaveLength(2);
  });
});

describe('tables', () => {
  const service: ServiceLine = {
    ...{ service: 'web', source: 'live', staleMs: 0, discovered: 2, held: 0, instances: 2, problems: 0 },
    ...{ servers: 2, takesTraffic: 2 },
  };
  const server: ServerLine = {
    ...{ service: 'web', server: 'a', state: 'up', takesTraffic: true },
    ...{ desired: true, loaded: true, running: true },
  };

  it('have a column for tiers where a service has some', () => {
    expect(servicesTable([service], page)[0]).not.toContain('TIER');
    const [head, , ...rows] = [...servicesTable([{ ...service, tier: 'zone' }, service], page)];
    expect(head).toMatch(/SERVING +TIER +STATUS/);
    expect(rows.length).toBeGreaterThan(0);
    const [top, first, second] = serversTable(
      [
        { ...server, tier: 'zone' },
        { ...server, standsBy: true },
      ],
      page,
    );
    expect(top).toMatch(/WEIGHT +TIER +DESIRED/);
    expect(first).toMatch(/zone .*takes traffic$/);
    expect(second).toMatch(/stands by$/);
  });
});
