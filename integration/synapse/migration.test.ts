import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type ConfigIssue, systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { diffLiveFiles } from '../../packages/synapse/src/cli/diff.ts';
import { filesOf } from '../../packages/synapse/src/cli/invocation.ts';
import { lintConfiguration } from '../../packages/synapse/src/cli/lint.ts';
import { load, startable } from '../../packages/synapse/src/allFiles.ts';
import { renderAll } from '../../packages/synapse/src/cli/render.ts';
import { generators } from '../../packages/synapse/src/generators/index.ts';
import type { GeneratorDiff } from '../../packages/synapse/src/generators/types.ts';
import { viewOf } from '../../packages/synapse/src/viewOf.ts';

/** What Ruby's synapse wrote, and from what. */
const golden = resolve(import.meta.dirname, '../../packages/synapse/src/generators/haproxy/testdata');
const cases = readdirSync(golden).filter((name) => /^\d/.test(name));
let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'migration-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function console() {
  const lines: string[] = [];
  const line = (text: string): void => void lines.push(text);
  return { lines, context: { env: {}, generators, clock: systemClock, output: { out: line, err: line } } };
}

async function lint(file: string, strict = false) {
  const { lines, context } = console();
  const files = filesOf({ config: file }, {})!;
  const code = await lintConfiguration({ kind: 'lint', files, strict, output: 'json' }, context);
  return { code, ...(JSON.parse(lines.join('\n')) as { errors: number; issues: ConfigIssue[] }) };
}

async function diff(file: string, live: { haproxyFile?: string; stateFile?: string }) {
  const { lines, context } = console();
  const { haproxyFile, stateFile } = live;
  const files = filesOf({ config: file }, {})!;
  const invocation = { kind: 'diff', files, catalogFile: undefined, haproxyFile, stateFile } as const;
  const code = await diffLiveFiles({ ...invocation, output: 'json' }, context);
  return { code, lines };
}

function written(text: string): string {
  const file = join(folder, 'synapse.yaml');
  writeFileSync(file, text);
  return file;
}

describe('synapse lint and synapse diff on the golden inputs', () => {
  it.each(cases)('%s has no error, and nothing of it changes but what Ruby changed since', async (name) => {
    const file = join(golden, name, 'synapse.json');
    expect(await lint(file)).toMatchObject({ code: 0, errors: 0 });
    expect((await lint(file, true)).code).toBe(1);
    const stateFile = name.startsWith('3') ? join(golden, name, 'ruby.state.json') : undefined;
    const haproxyFile = join(golden, name, 'ruby.haproxy.cfg');
    const { code, lines } = await diff(file, { haproxyFile, ...(stateFile && { stateFile }) });
    const [haproxy] = (JSON.parse(lines.join('\n')) as { generators: GeneratorDiff[] }).generators;
    // The state file of the third was written after another instance had come and one had gone.
    const changed = name.startsWith('3') ? ['backend app', 'backend templ'] : [];
    expect(haproxy?.changes.map(({ title }) => title)).toEqual(changed);
    expect(haproxy?.state).toEqual([]);
    expect(code).toBe(changed.length > 0 ? 1 : 0);
  });

  it.each(cases)('%s is rendered to what Ruby wrote', async (name) => {
    const files = filesOf({ config: join(golden, name, 'synapse.json') }, {})!;
    const { configuration, settings } = startable(await load(files, {}, generators, undefined));
    const catalog = JSON.parse(readFileSync(join(golden, name, 'catalog.json'), 'utf8')) as object;
    const view = viewOf(configuration, new Map(Object.entries(catalog)));
    const { lines, context } = console();
    const asked = { generators, only: 'haproxy', output: 'json', settings } as const;
    expect(await renderAll(configuration, view, asked, context.output)).toBe(0);
    const { files: made } = JSON.parse(lines.join('\n')) as { files: { text: string }[] };
    // The time, cookies without a meaning and the missing end of the last line: see docs/compatibility.md.
    const plain = (text: string): string =>
      `${text.trimEnd()}\n`
        .replace(/^#.*$/m, '')
        .replaceAll(/^\tserver .*$/gm, (line) => line.replaceAll(/ cookie \S+/g, ''));
    const ruby = readFileSync(join(golden, name, 'ruby.haproxy.cfg'), 'utf8');
    expect(plain(made[0]!.text)).toBe(plain(ruby));
  });

  it('4-file-output is rendered to the file of web, too', async () => {
    const name = '4-file-output';
    const files = filesOf({ config: join(golden, name, 'synapse.json') }, {})!;
    const { configuration, settings } = startable(await load(files, {}, generators, undefined));
    const catalog = JSON.parse(readFileSync(join(golden, name, 'catalog.json'), 'utf8')) as object;
    const view = viewOf(configuration, new Map(Object.entries(catalog)));
    const { lines, context } = console();
    const asked = { generators, only: 'file_output', output: 'json', settings } as const;
    expect(await renderAll(configuration, view, asked, context.output)).toBe(0);
    const { files: made } = JSON.parse(lines.join('\n')) as { files: { text: string }[] };
    const written = resolve(golden, '../../fileOutput/testdata/ruby.web.json');
    expect(made[0]!.text).toBe(`# /run/synapse-test/fo/web.json\n${readFileSync(written, 'utf8')}\n`);
  });

  it('trap 21: the time in the first line of the file is no difference', async () => {
    const file = join(golden, '1-plain-tcp', 'synapse.json');
    const text = readFileSync(join(golden, '1-plain-tcp', 'ruby.haproxy.cfg'), 'utf8');
    const haproxyFile = join(folder, 'live.cfg');
    writeFileSync(haproxyFile, text.replace(/^#.*$/m, '# auto-generated by synapse at 1999'));
    expect((await diff(file, { haproxyFile })).code).toBe(0);
    writeFileSync(haproxyFile, text.replace(/^frontend redis$/m, 'frontend ridis'));
    expect((await diff(file, { haproxyFile })).code).toBe(1);
  });

  it('says where there is no live file, and exits with 78', async () => {
    const file = join(golden, '1-plain-tcp', 'synapse.json');
    const { code, lines } = await diff(file, { haproxyFile: join(folder, 'none.cfg') });
    expect(code).toBe(78);
    expect(lines.join('\n')).toContain('none.cfg');
  });
});

describe('synapse lint', () => {
  const service = (haproxy: string, more = ''): string =>
    `haproxy: {}\nservices:\n  web:\n    use_previous_backends: false\n    discovery: {method: base}\n    default_servers: [{host: 10.0.0.1, port: 80}]\n${more}    haproxy:\n      port: 3213\n${haproxy}`;
  const issuesOf = async (text: string): Promise<string[]> => {
    const { issues } = await lint(written(text));
    return issues.map(
      ({ line, column, path, severity, message }) => `${line}:${column} ${path} ${severity} ${message}`,
    );
  };

  const multi = (resolver: string): string => {
    const watchers = resolver.includes('watchers:')
      ? ''
      : 'watchers: {a: {method: zookeeper, hosts: [z:1], path: /a}}, ';
    return service('').replace('{method: base}', `{method: multi, ${watchers}resolver: ${resolver}}`);
  };

  it('trap 17: says what HAProxy rejects, where it stands, and what to write', async () => {
    const found = await issuesOf(
      service(
        String.raw`      listen:
        - mode http
        - option forceclose
        - 'reqadd X-Foo:\ a\ b if TRUE'
        - 'reqidel ^X-Bar:.*'
        - monitor-net 10.0.0.0/8
        - dispatch 127.0.0.1:9
`,
      ),
    );
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(
          /^11:11 \S+listen\[1\] error HAProxy 2.* rejects `option forceclose`.*`option httpclose`/,
        ),
        expect.stringMatching(/^12:11 \S+listen\[2\] error .*`http-request add-header X-Foo "a b" if TRUE`/),
        expect.stringMatching(/^13:11 \S+listen\[3\] error .*`http-request del-header X-Bar`/),
        expect.stringMatching(/^14:11 .* error .*`http-request return status 200 if { src 10\.0\.0\.0\/8 }`/),
        // This one takes it.
        expect.stringMatching(
          /^15:11 .* warning HAProxy 3\.5 and later refuse .*`server dispatch 127\.0\.0\.1:9`/,
        ),
      ]),
    );
  });

  it.each([
    [
      1,
      service('', '    leader_election: false\n').replace('port: 80}', 'port: 80, labels: {at: 12:30}}'),
      /45000/,
    ],
    [11, service('').replace('port: 3213', 'port: null'), /missing port specification in 'localhost'/],
    [13, service('      backend: mode tcp\n'), /TypeError/],
    [14, service('      use_nerve_weights: true\n'), /top level/],
    [15, service('      backend_name: other\n'), /disables every server/],
    [16, service('      backend: [retry-on conn-failure]\n'), /Ruby's synapse drops `retry-on/],
    [
      18,
      service('', '    leader_election: false\n').replace(
        '{method: base}',
        '{method: zookeeper, hosts: [a:2181], path: /s, generator_config_path: /g}',
      ),
      /replaces the local block as a whole/,
    ],
    [
      20,
      service('').replace('haproxy: {}', 'haproxy: {do_checks: true, check_command: "true"}'),
      /Where check_command fails/,
    ],
    [22, `smartstack: {}\n${service('')}`, /^1:1 smartstack error Unknown key/],
    [
      24,
      service('')
        .replace('    use_previous_backends: false\n', '')
        .replace(/ {4}default.*\n/, ''),
      /use_previous_backends/,
    ],
    [28, service('      backend: [mode http, cookie SRV insert]\n'), /reload: `cookie` needs 3.0/],
    [29, service('', '    leader_election: true\n'), /go-nerve/],
    [
      19,
      multi(
        `{method: union}, watchers: {b: {method: zookeeper_dns, hosts: [z:1], path: /b, label_filters: []}}`,
      ),
      /watchers\.b\.label_filters warning Ruby's zookeeper_dns ignores it/,
    ],
    [
      19,
      multi('{method: union}, label_filters: [{label: az, value: a, condition: equals}]'),
      /discovery\.label_filters warning Beside several watchers Ruby's synapse ignores it/,
    ],
    [
      24,
      multi('{method: union}'),
      /discovery\.watchers warning In Ruby's synapse each watcher that is empty/,
    ],
    [25, multi('{method: fallback}'), /resolver\.method error There is no resolver fallback: .*sequential/],
    [25, multi('{method: union}').replace('method: zookeeper,', 'method: awstag,'), /error .*mean ec2tag/],
  ])('trap %i: is told of', async (_trap, text, message) => {
    expect(await issuesOf(text)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });

  it('trap 4: files that are never read, and definitions that a file replaces', async () => {
    const file = written(`${service('')}service_conf_dir: ${folder}/s\n`);
    mkdirSync(join(folder, 's'));
    writeFileSync(join(folder, 's/old.yml'), '{}');
    writeFileSync(join(folder, 's/web.yaml'), 'discovery: {method: base}\nhaproxy: {port: 1}\n');
    const { issues } = await lint(file);
    const about = issues.map((issue) => `${issue.file} ${issue.message}`);
    expect(about).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/old\.yml This file is never read/),
        expect.stringMatching(/web\.yaml It replaces the definition of web/),
      ]),
    );
  });

  it('has nothing to say of what is plain, and leaves no file behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('synapse-lint-'));
    const result = await lint(written(service('      listen: [mode http]\n')), true);
    expect(result).toMatchObject({ code: 0, issues: [] });
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('synapse-lint-'))).toEqual(before);
  });
});
