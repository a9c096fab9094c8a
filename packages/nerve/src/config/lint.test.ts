import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatIssue } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lint } from './lint.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'nerve-lint-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function issuesOf(text: string, env: Readonly<Record<string, string>> = {}) {
  const file = join(folder, 'nerve.yaml');
  writeFileSync(file, text);
  return (await lint(file, env)).map((issue) => formatIssue(issue).replace(`${folder}/`, ''));
}

const plain = (check = '{type: tcp}', more = '') =>
  `instance_id: vm1\nservices:\n  web:\n    host: 10.0.0.1\n    port: 80\n    checks: [${check}]\n${more}`;

describe('nerve lint', () => {
  it('has nothing to say of what is plain', async () => {
    expect(await issuesOf(plain('{type: http, uri: /, rise: 1, fall: 2}'), { DEBUG: 'yes' })).toEqual([]);
  });

  it.each([
    [3, plain('{type: tcp}', '    weight: <%= 5 %>\n'), /^nerve\.yaml:7:13 ERB is not expanded/],
    [
      6,
      plain('{type: tcp, rise: 3}'),
      /^nerve\.yaml:6:32 services\.web\.checks\[0\]\.rise: The very first result/,
    ],
    [7, plain(''), /^nerve\.yaml:6:13 services\.web\.checks: Without checks the service is always up/],
    [7, plain('{type: http, timeout: 2}'), /^nerve\.yaml:6:36 \S+timeout: It does not govern the connection/],
    [
      8,
      `${plain()}rate_limiting: {average_rate: 1, max_burst: 2}\n`,
      /^nerve\.yaml:7:16 rate_limiting: It only/,
    ],
    [
      10,
      plain().replace('port: 80', "port: '80'"),
      /^nerve\.yaml:5:11 services\.web\.port: .*nerve_sd_configs/,
    ],
    [9, plain('{type: tcp}', '    node_type: ephemeral\n'), /^nerve\.yaml:7:16 \S+node_type: .*bare `_`/],
    [27, `${plain()}drain_on_stop: true\n`, /^nerve\.yaml:7:16 drain_on_stop: A stop waits for callers/],
    [29, plain('{type: http, namespace: /health}'), /namespace: go-nerve's name for the path/],
  ] as const)('trap %i: is told of, with its place', async (_trap, text, message) => {
    expect(await issuesOf(text)).toEqual([expect.stringMatching(message)]);
  });

  it('tells of certificates that nobody verifies, unless that is said', async () => {
    expect(await issuesOf(plain('{type: http, uri: /, ssl: true}'))).toEqual([
      expect.stringMatching(/^nerve\.yaml:6:40 \S+ssl: The certificate is not verified, as in Ruby/),
    ]);
    expect(await issuesOf(plain('{type: http, uri: /, ssl: true, tls_verify: false}'))).toEqual([]);
  });

  it('trap 5: variables that count as set, whatever they say', async () => {
    expect(await issuesOf(plain(), { NERVE_CHECK_CONFIG: '0', DEBUG: '' })).toEqual([
      'environment: NERVE_CHECK_CONFIG=0 counts as set, as any value does: unset it (warning)',
      'environment: DEBUG= counts as set, as any value does: unset it (warning)',
    ]);
  });

  it('trap 4: files that nobody reads, and definitions that a file replaces', async () => {
    const conf = join(folder, 'services');
    mkdirSync(conf);
    writeFileSync(join(conf, 'old.yml'), '{}');
    writeFileSync(join(conf, 'web.yaml'), 'host: h\nport: 1\nchecks: [{type: tcp}]\n');
    expect(await issuesOf(`${plain()}service_conf_dir: ${conf}\n`)).toEqual([
      expect.stringMatching(/^services\/old\.yml: This file is never read/),
      expect.stringMatching(/^services\/web\.yaml: It replaces the definition of web/),
    ]);
  });

  it('says nothing of a service whose checks are mocked, and of files that cannot be read', async () => {
    expect(await issuesOf(plain('', '    check_mocked: true\n'))).toEqual([]);
    expect(await lint(join(folder, 'none.yaml'), {})).toEqual([]);
  });
});
