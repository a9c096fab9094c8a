import { join } from 'node:path';
import { formatIssue, systemClock } from '@smartstack/agent';
import { importModule } from '@smartstack/agent/importing';
import { describe, expect, it } from 'vitest';
import { PluginLoader } from '@smartstack/agent/plugins';
import { configDir } from '../testing/configDir.js';
import { loadConfig } from './load.js';

const board = `
export default ({ defineReporter, z }) =>
  defineReporter({
    type: 'board',
    options: { wall: z.string(), chalk_color: z.string().default('white') },
    create: () => ({ carry: async () => 'there' }),
  });
`;

async function load(entry: string, module = board) {
  const dir = await configDir({
    'nerve.yaml': 'instance_id: i-0\nservice_conf_dir: d\n',
    'd/web.yaml': `host: 127.0.0.1\nport: 80\nreporters:\n  - { type: file, file_directory: /r }\n  - { ${entry} }\n`,
    'board.mjs': module,
  });
  const plugins = new PluginLoader({ clock: systemClock, importModule });
  const { services, issues } = await loadConfig({ file: join(dir, 'nerve.yaml'), plugins });
  return {
    reporters: services.get('web')?.reporters,
    issues: issues.map((issue) => formatIssue(issue).replaceAll(`${dir}/`, '')),
  };
}

describe('reporters from modules', () => {
  it('stand among the others, with their options as the module sees them', async () => {
    const { reporters, issues } = await load('type: board, module: ../board.mjs, wall: north');
    expect(issues).toEqual([]);
    expect(reporters).toMatchObject([
      { name: 'file', type: 'file' },
      {
        name: 'board',
        type: 'plug-in',
        settings: { use: { options: { wall: 'north', chalkColor: 'white' } } },
      },
    ]);
  });

  it('may have a name', async () => {
    const { reporters } = await load('type: board, module: ../board.mjs, wall: north, name: hall');
    expect(reporters?.map(({ name }) => name)).toEqual(['file', 'hall']);
  });

  it.each([
    ['a missing option', 'type: board, module: ../board.mjs', 'd/web.yaml:5:5 reporters[1].wall: Required'],
    [
      'a wrong name',
      'type: board, module: ../board.mjs, wall: n, name: a b',
      'd/web.yaml:5:57 reporters[1].name: expected letters',
    ],
    [
      'a missing module',
      'type: board, module: ../bored.mjs, wall: n',
      'd/web.yaml:5:28 reporters[1].module: ENOENT',
    ],
    [
      'an unknown type without module',
      'type: consul',
      'd/web.yaml:5:13 reporters[1].type: Unknown type: expected zookeeper, etcd, file, or a module',
    ],
  ])('are refused for %s, at its place', async (_, entry, issue) => {
    const { reporters, issues } = await load(entry);
    expect(reporters).toBeUndefined();
    expect(issues).toEqual([expect.stringContaining(issue) as string]);
  });

  it.each([
    ['throws', "() => { throw new Error('no wall'); }", 'no wall'],
    ['gives no text', '() => 7', 'place() gives no text'],
  ])('are refused when place() %s', async (_, place, why) => {
    const { reporters, issues } = await load(
      'type: board, module: ../board.mjs, wall: n',
      board.replace('create:', `place: ${place},\n    create:`),
    );
    expect(reporters).toBeUndefined();
    expect(issues).toEqual([expect.stringContaining(why) as string]);
  });

  it('may have options that JSON cannot hold', async () => {
    const module = board.replace('wall: z.string()', 'wall: z.coerce.bigint()');
    const { reporters, issues } = await load('type: board, module: ../board.mjs, wall: 7', module);
    expect(issues).toEqual([]);
    expect(reporters).toMatchObject([{}, { settings: { use: { options: { wall: 7n } } } }]);
  });

  it('are refused when the module defines something else', async () => {
    const { issues } = await load('type: board, module: ../board.mjs', 'export default { create() {} };');
    expect(issues).toEqual([expect.stringContaining('its default export is no reporter') as string]);
  });
});
