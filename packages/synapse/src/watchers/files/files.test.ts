import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeRegistrationFile, registrationFileName } from '@smartstack/registry';
import { describe, expect, it, onTestFinished } from 'vitest';

import { parseInstances } from './instancesFile.js';
import { RegistrationFolder } from './registrationFolder.js';

const parse = (text: string) => parseInstances('/f', Buffer.from(text));

describe('a file with a list of instances', () => {
  it.each([
    ['YAML', '- {host: a, port: 80, name: x, weight: 3, labels: {az: b}}\n'],
    ['JSON', '[{"name":"x","host":"a","port":80,"weight":3,"labels":{"az":"b"}}]'],
    ['a mapping', 'instances:\n- {host: a, port: 80, name: x, weight: 3, labels: {az: b}}\n'],
  ])('may be %s', (_, text) => {
    expect(parse(text)).toEqual({
      instances: [{ host: 'a', port: 80, name: 'x', weight: 3, labels: { az: 'b' } }],
      problems: [],
    });
  });

  it('may be what the agents print, and what file_output writes', () => {
    const [shown, written] = parse(
      '[{"host":"a","port":80,"id":7,"haproxyServerOptions":"backup"},' +
        '{"name":null,"host":"b","port":81,"id":null,"weight":null,"haproxy_server_options":"check","labels":null}]',
    ).instances;
    expect(shown).toEqual({ host: 'a', port: 80, id: 7, haproxyServerOptions: 'backup' });
    expect(written).toEqual({ host: 'b', port: 81, haproxyServerOptions: 'check' });
  });

  it('is read as YAML 1.1, as Ruby reads it (trap 1)', () => {
    expect(parse('[{"host": "a", "port": 0120}]').instances[0]?.port).toBe(80);
    expect(parse('- {host: a, port: 8_080, labels: {on: yes}}').instances[0]).toEqual({
      host: 'a',
      port: 8080,
      labels: { true: true },
    });
  });

  it('skips what is no instance, and tells where it stands', () => {
    const { instances, problems } = parse(
      '- {host: a, port: 80}\n- {host: b}\n- just text\n- {host: c, port: 99999999999999999999}\n',
    );
    expect(instances).toEqual([{ host: 'a', port: 80 }]);
    expect(problems?.map(({ path }) => path)).toEqual(['/f:2:3', '/f:3:3', '/f:4:3']);
  });

  it.each(['', 'host: a', '[', '"text"', '- {host: a}', '\xff\xfe', '!ruby/object:Gem {}'])(
    'that is %j is broken, not empty',
    (text) => expect(() => parseInstances('/f', Buffer.from(text, 'latin1'))).toThrow(),
  );

  it('may be empty', () => expect(parse('[]').instances).toEqual([]));
});

describe('RegistrationFolder', () => {
  async function folder() {
    const path = await mkdtemp(join(tmpdir(), 'synapse-folder-'));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    const write = async (service: string, id: string, modifiedMs: number, text?: string): Promise<string> => {
      const file = join(path, registrationFileName(service, id));
      const instance = { host: 'h', port: 1, name: id };
      const data = text ?? encodeRegistrationFile({ service, ttlSeconds: 30, owner: 'o', instance });
      await writeFile(`${file}.new`, data);
      await utimes(`${file}.new`, modifiedMs / 1000, modifiedMs / 1000);
      await rename(`${file}.new`, file);
      return file;
    };
    return { path, write };
  }

  it('counts a file for its time to live, and again when it is touched', async () => {
    const { path, write } = await folder();
    const file = await write('web', 'a', 1_000_000);
    const registrations = new RegistrationFolder(path);
    const freshUntil = async (now: number, monotonic: number) =>
      [...(await registrations.look({ now, monotonic })).values()][0]?.freshUntil;
    expect(await freshUntil(1_010_000, 0)).toBe(20_000);
    expect(await freshUntil(1_020_000, 10_000)).toBe(20_000);
    await utimes(file, 1_025, 1_025);
    expect(await freshUntil(1_027_000, 17_000)).toBe(45_000);
  });

  it('does not take a jump of the clock for the death of all', async () => {
    const { path, write } = await folder();
    const file = await write('web', 'a', 1_000_000);
    const registrations = new RegistrationFolder(path);
    const look = async (now: number, monotonic: number) =>
      [...(await registrations.look({ now, monotonic })).values()][0]?.freshUntil ?? 0;
    await look(1_000_000, 0);
    expect(await look(9_000_000, 5_000)).toBe(30_000);
    // Its writer's clock is an hour behind now; that it was touched says that it lives.
    await utimes(file, 1_006, 1_006);
    expect(await look(9_001_000, 6_000)).toBe(35_000);
  });

  it('keeps what a file said last while it is broken, and reads nothing else', async () => {
    const { path, write } = await folder();
    await write('web', 'a', 1_000_000);
    await writeFile(join(path, '.hidden@i.json'), 'x');
    await writeFile(join(path, 'web.json'), 'x');
    const registrations = new RegistrationFolder(path);
    await registrations.look({ now: 1_000_000, monotonic: 0 });
    await write('web', 'a', 1_000_500, '{"service":');
    await write('web', 'b', 1_000_500, 'garbage');
    const files = await registrations.look({ now: 1_001_000, monotonic: 1_000 });
    expect([...files].map(([name, { content, problem }]) => [name, content?.instance.host, problem])).toEqual(
      [
        ['web@a.json', 'h', 'Not JSON'],
        ['web@b.json', undefined, 'Not JSON'],
      ],
    );
  });

  it('has nothing to say of a folder that is gone', async () => {
    const { path } = await folder();
    await rm(path, { recursive: true });
    await expect(new RegistrationFolder(path).look({ now: 0, monotonic: 0 })).rejects.toThrow('ENOENT');
  });
});
