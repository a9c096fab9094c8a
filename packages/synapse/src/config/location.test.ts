import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatIssue } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readAgentSettings } from './agentFile.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'loc-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function read(text: string, env: Readonly<Record<string, string>> = {}) {
  const file = join(dir, 'agent.yaml');
  writeFileSync(file, text);
  const { settings, issues } = await readAgentSettings(file, false, env);
  return {
    location: settings && Object.fromEntries(settings.location),
    issues: issues.map((issue) => formatIssue(issue).replace(`${dir}/`, '')),
  };
}

describe('location', () => {
  it('comes from text, files and variables', async () => {
    writeFileSync(join(dir, 'region'), '  eu-1\n');
    const text = `location: {zone: a, rack: 7, region: {file: ${dir}/region}, planet: {env: PLANET}}`;
    expect(await read(text, { PLANET: 'earth' })).toEqual({
      location: { zone: 'a', rack: '7', region: 'eu-1', planet: 'earth' },
      issues: [],
    });
    expect(await read('log: {level: info}')).toEqual({ location: {}, issues: [] });
  });

  it.each([
    ['{env: NONE}', 'location.zone: the environment variable NONE is not set; write the value, or set it'],
    [
      '{env: BLANK}',
      'location.zone: the environment variable BLANK is empty; write the value, or leave the label out',
    ],
    [
      '{env: LINES}',
      'location.zone: the environment variable LINES holds more than a label: one line of at most 256 bytes',
    ],
    ['{file: relative}', 'expected an absolute path'],
    ['[a]', 'location.zone: expected text, {file: /path} or {env: NAME}'],
    ['{file: /dev/zero}', 'location.zone: /dev/zero cannot be read: it is no plain file'],
    ['{file: /proc/self/environ}', 'location.zone: /proc/self/environ'],
    ['{file: /nowhere/zone}', 'location.zone: /nowhere/zone cannot be read: ENOENT'],
  ])('zone: %s is refused with its place', async (value, message) => {
    const { location, issues } = await read(`location:\n  zone: ${value}\n`, {
      BLANK: ' ',
      LINES: 'a\nserver evil',
    });
    expect(location).toBeUndefined();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(message);
    expect(issues[0]).toMatch(/^agent\.yaml:2:\d+ location\.zone/);
  });

  it('does not wait for a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const { issues } = await read(`location: {zone: {file: ${dir}/pipe}}`);
    expect(issues[0]).toContain('it is no plain file');
  });

  it('refuses names of levels that cannot be part of a section name', async () => {
    const { issues } = await read(`location: {"a b": x}`);
    expect(issues[0]).toContain("expected letters, digits, '_', '.' and '-'");
  });
});
