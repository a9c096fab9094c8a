import { describe, expect, it } from 'vitest';
import { hashOf } from '../file/fileHash.js';
import { parseSections } from '../live/sections.js';
import type { DesiredState, ServiceSections } from '../types.js';
import { isLatencyLine, withLatencies, withoutLatencyText } from './latencyLines.js';
import { render, renderBytes } from './render.js';
import { ownTitle, withoutSharedText } from './sharedRules.js';
import { isTapLine, withoutTapText, withTap } from './tapLines.js';

function service(name: string, lines: readonly string[] = []): ServiceSections {
  const port = `bind 127.0.0.1:${3000 + name.length}`;
  const server = { name: 'a', address: '127.0.0.1', port: 80, id: 1, options: [], disabled: false };
  return {
    service: name,
    frontend: { title: `frontend ${name}`, lines: [port, `default_backend ${name}`] },
    backend: { name, lines, servers: [server] },
  };
}

function stateOf(
  services: readonly ServiceSections[],
  base: DesiredState['base'] = [
    { title: 'global', lines: ['maxconn 100'] },
    { title: 'defaults', lines: ['mode http', 'timeout server 5s'] },
  ],
): DesiredState {
  const counted = withLatencies({ base, services }, { stickCounter: 2, except: ['own'] });
  return withTap(counted, { except: ['own'] });
}

const linesIn = (text: string, title: string): readonly string[] =>
  parseSections(text)
    .find((each) => each.title === title)
    ?.lines.map((line) => line.text) ?? [];

describe('the rules that services share', () => {
  const state = stateOf([service('web', ['balance leastconn']), service('api'), service('own')]);
  const text = render(state);

  it('stand once, in named defaults that hold what all inherit, before those that have no name', () => {
    const titles = parseSections(text).map(({ title }) => title);
    expect(titles.slice(0, 4)).toEqual([
      'global',
      'defaults synapse-counted',
      'defaults synapse-tapped',
      'defaults',
    ]);
    const count = (isOurs: (line: string) => boolean): number =>
      text.split('\n').filter((line) => isOurs(line) && !line.includes('stick-table')).length;
    const one = stateOf([service('web')]);
    expect(count(isLatencyLine)).toBe(one.services[0]!.backend.lines.filter(isLatencyLine).length);
    expect(linesIn(text, 'defaults synapse-counted').slice(0, 2)).toEqual(['mode http', 'timeout server 5s']);
    expect(linesIn(text, 'defaults')).toEqual(['mode http', 'timeout server 5s']);
    expect(linesIn(text, 'backend web from synapse-counted')).toEqual([
      'balance leastconn',
      'server a 127.0.0.1:80 id 1',
    ]);
    expect(linesIn(text, 'frontend web from synapse-tapped')).toEqual([
      'bind 127.0.0.1:3003',
      'default_backend web',
    ]);
    // Who does without inherits what everybody does.
    expect(titles).toContain('backend own');
    expect(titles).toContain('frontend own');
  });

  it('are the same in the bytes that are written', () => {
    expect(Buffer.concat(renderBytes(state)).toString()).toBe(text);
    // Also once other services have been seen, of the very same sections.
    const fewer = { ...state, services: state.services.slice(1) };
    expect(hashOf(render(fewer))).toBe(hashOf(Buffer.concat(renderBytes(fewer)).toString()));
    expect(linesIn(render(fewer), 'backend api from synapse-counted')).toHaveLength(1);
  });

  it('go from a text without a trace', () => {
    const plain = withoutTapText(withoutLatencyText(withoutSharedText(text)));
    const bare = render({ base: state.base.slice(0, 2), services: [service('web', ['balance leastconn'])] });
    const first = parseSections(plain).slice(0, 5);
    expect(first.map(({ title, lines }) => [title, lines.map((line) => line.text)])).toEqual([
      ...parseSections(bare)
        .slice(0, 2)
        .map(({ title, lines }) => [title, lines.map((line) => line.text)]),
      ...parseSections(bare)
        .slice(2, 4)
        .map(({ title, lines }) => [title, lines.map((line) => line.text)]),
      ['frontend api', ['bind 127.0.0.1:3003', 'default_backend api']],
    ]);
    expect(plain.split('\n')).toHaveLength(text.split('\n').length);
  });

  it('stay with each service where it is not known what it inherits', () => {
    const global = { title: 'global', lines: [] };
    const none = [
      [global],
      [global, { title: 'defaults', lines: [] }, { title: 'defaults more', lines: [] }],
    ];
    const named = { title: 'defaults synapse-counted', lines: [] };
    for (const base of [...none, [global, named, { title: 'defaults', lines: ['mode http'] }]]) {
      const lines = ['mode http'];
      const own = render(stateOf([service('web', lines)], base));
      expect(linesIn(own, 'backend web').length).toBeGreaterThan(20);
      expect(own).not.toContain(' from ');
    }
  });

  it('are those of most services: an option of the first makes its lines others, not everybody’s', () => {
    const own = service('own-options');
    const first = {
      ...own,
      frontend: { ...own.frontend!, lines: ['option logasap', ...own.frontend!.lines] },
    };
    const mixed = render(stateOf([first, service('web'), service('api')]));
    expect(linesIn(mixed, 'frontend own-options')).toContain('no option logasap');
    expect(linesIn(mixed, 'defaults synapse-tapped')).not.toContain('no option logasap');
    expect(linesIn(mixed, 'frontend web from synapse-tapped')).toHaveLength(2);
    expect(linesIn(mixed, 'backend own-options from synapse-counted')).toHaveLength(1);
  });

  it('stay with a service whose lines are others: those of an older synapse', () => {
    const [web, api] = state.services;
    const older = {
      ...api!,
      backend: {
        ...api!.backend,
        lines: api!.backend.lines.filter((line) => !line.includes('sc-inc-gpc(3,')),
      },
    };
    const mixed = render({ ...state, services: [web!, older] });
    expect(linesIn(mixed, 'backend web from synapse-counted')).toHaveLength(2);
    expect(linesIn(mixed, 'backend api').length).toBe(older.backend.lines.length + 1);
  });

  it('leave the names that operators know', () => {
    expect(ownTitle('backend web from synapse-counted')).toBe('backend web');
    expect(ownTitle('frontend web from synapse-tapped')).toBe('frontend web');
    expect(ownTitle('backend web from mine')).toBe('backend web from mine');
    expect(text.split('\n').filter((line) => isTapLine(line) && line.includes('log-format'))).toHaveLength(1);
  });
});
