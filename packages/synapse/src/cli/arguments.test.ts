import { describe, expect, it } from 'vitest';

import { version } from '../version.js';
import { parseArguments } from './arguments.js';
import { plainInvocation } from './invocation.js';

const files = (configFile: string, agentFile: string, agentFileNamed = false) => ({
  configFile,
  agentFile,
  agentFileNamed,
});

describe('parseArguments', () => {
  it.each([
    [['-c', '/etc/synapse/synapse.yaml'], {}, '/etc/synapse/synapse.yaml'],
    [['--config=a.json'], { SYNAPSE_CONFIG: 'b.json' }, 'a.json'],
    [[], { SYNAPSE_CONFIG: 'b.json' }, 'b.json'],
    [['-c', 'a', '-c', 'b'], {}, 'b'],
  ])('%j %j', (argv, env, configFile) => {
    expect(parseArguments(argv, env)).toMatchObject({ kind: 'run', debug: false, files: { configFile } });
  });

  it('finds the agent file beside the configuration, unless it is named', () => {
    expect(parseArguments(['-c', '/etc/synapse/synapse.yaml'], {})).toMatchObject({
      files: files('/etc/synapse/synapse.yaml', '/etc/synapse/agent.yaml'),
    });
    expect(parseArguments(['-c', 'a.yaml'], { SYNAPSE_AGENT_CONFIG: 'x.yaml' })).toMatchObject({
      files: files('a.yaml', 'x.yaml', true),
    });
    expect(parseArguments(['-c', 'a.yaml', '--agent-config', 'y.yaml'], {})).toMatchObject({
      files: files('a.yaml', 'y.yaml', true),
    });
  });

  it('checks and renders', () => {
    expect(parseArguments(['-k', '-c', 'a'], {}).kind).toBe('check');
    expect(parseArguments(['--check-config', '-c', 'a'], {}).kind).toBe('check');
    expect(parseArguments(['render', '-c', 'a', '--catalog', 'x'], {})).toMatchObject({
      kind: 'render',
      catalogFile: 'x',
    });
  });

  it('DEBUG counts whatever its value', () => {
    expect(parseArguments(['-c', 'a'], { DEBUG: '' })).toMatchObject({ debug: true });
  });

  it.each([
    [['-x', '-c', 'a'], /x/],
    [['reload', '-c', 'a'], /reload/],
    [['-c'], /config|argument/],
    [[], /SYNAPSE_CONFIG/],
  ])('%j is a usage error', (argv, message) => {
    const invocation = parseArguments(argv, {});
    expect(invocation.kind).toBe('usage');
    expect('message' in invocation && invocation.message).toMatch(message);
  });

  it.each([[['-h']], [['--help']], [['render', '-h']]])('%j is help', (argv) => {
    const invocation = parseArguments(argv, {});
    expect(invocation.kind).toBe('text');
    expect('text' in invocation && invocation.text).toContain('--config');
  });

  it('tells its version', () => {
    expect(parseArguments(['--version'], {})).toEqual({ kind: 'text', text: version });
  });
});

describe('plainInvocation', () => {
  const env = { SYNAPSE_AGENT_CONFIG: '/a.yaml', DEBUG: '' };

  it('says of what it understands exactly what the whole parser says', () => {
    for (const argv of [
      ['-c', 'x.yaml'],
      ['--config', '/etc/synapse/synapse.yaml'],
      ['-c', 'with space'],
      ['-c', 'render'],
    ]) {
      for (const one of [env, {}]) {
        const plain = plainInvocation(argv, one);
        expect(plain).toBeDefined();
        expect(plain).toEqual(parseArguments(argv, one));
      }
    }
  });

  it.each([
    [[]],
    [['-c']],
    [['-c', '']],
    [['-c', '-k']],
    [['-c', 'x', '-k']],
    [['-cx']],
    [['--config=x']],
    [['render', '-c', 'x']],
    [['--help']],
    [['-c', 'x', 'y']],
  ])('leaves %j to the whole parser', (argv) => {
    expect(plainInvocation(argv, env)).toBeUndefined();
  });
});

describe('the command line of synapse check', () => {
  it('is understood', () => {
    expect(
      parseArguments(['check', '-c', '/e/s.yaml', '--pre', '--write', '--wait', '5m', '-o', 'short'], {}),
    ).toMatchObject({
      ...{ kind: 'checkup', isBeforeStart: true, mayWrite: true, waitMs: 300_000, format: 'short' },
      files: { configFile: '/e/s.yaml', agentFile: '/e/agent.yaml' },
    });
  });

  it.each([[['--wait', 'soon', '-c', 'x']], [['-o', 'yaml', '-c', 'x']], [[]], [['-c', 'x', '--nonsense']]])(
    '%j is wrong usage, with a code of its own',
    (flags) => {
      expect(parseArguments(['check', ...flags], {})).toMatchObject({ kind: 'usage', code: 2 });
    },
  );
});
