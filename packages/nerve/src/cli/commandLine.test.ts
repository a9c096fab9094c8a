import { describe, expect, it } from 'vitest';
import { plainCommand } from './command.js';
import { parseCommandLine } from './commandLine.js';

const parse = (line: string, env: Readonly<Record<string, string>> = {}) =>
  parseCommandLine(line.split(' ').filter(Boolean), env, '1.2.3');
const run = (file: string, instanceId?: string) => ({ kind: 'run', file, instanceId, shadow: false });

describe('parseCommandLine', () => {
  it('reads the flags in every spelling', () => {
    expect(parse('-c a.yaml')).toEqual(run('a.yaml'));
    expect(parse('--config a.yaml -i i-1')).toEqual(run('a.yaml', 'i-1'));
    expect(parse('--config=a.yaml --instance_id i-1')).toEqual(run('a.yaml', 'i-1'));
    expect(parse('-c a.yaml --instance-id i-1 -k')).toEqual({
      kind: 'check',
      file: 'a.yaml',
      instanceId: 'i-1',
      shadow: false,
    });
    expect(parse('-kc a.yaml')).toMatchObject({ kind: 'check', file: 'a.yaml' });
  });

  it('runs in the shadow of another one when it is told to', () => {
    for (const line of ['run --shadow -c a.yaml', '--shadow -c a.yaml', '-c a.yaml --shadow'])
      expect(parse(line)).toEqual({ ...run('a.yaml'), shadow: true });
    expect(plainCommand(['-c', 'a.yaml', '--shadow'], {})).toBeUndefined();
  });

  it('keeps an instance id that looks like a number as it is written', () => {
    expect(parse('-c a.yaml -i 007')).toEqual(run('a.yaml', '007'));
  });

  it('reads the environment, and lets flags go before it', () => {
    const env = { NERVE_CONFIG: 'env.yaml', NERVE_INSTANCE_ID: 'i-env' };
    expect(parse('', env)).toEqual(run('env.yaml', 'i-env'));
    expect(parse('-c a.yaml -i i-1', env)).toEqual(run('a.yaml', 'i-1'));
  });

  it.each(['1', '0', 'false', ''])(
    'checks only when NERVE_CHECK_CONFIG is %j: any value is true',
    (value) => {
      expect(parse('-c a.yaml', { NERVE_CHECK_CONFIG: value })).toMatchObject({ kind: 'check' });
    },
  );

  it('takes an empty instance id for none', () => {
    expect(parseCommandLine(['-c', 'a.yaml', '-i', ''], {}, '1')).toEqual(run('a.yaml', ''));
  });

  it('takes the last of a flag that is given twice', () => {
    expect(parse('-c a.yaml -c b.yaml')).toEqual(run('b.yaml'));
  });

  it.each(['--nope', '-x', '-c a.yaml stray', '-c a.yaml -k --frob=1'])('does not understand %s', (line) => {
    expect(parse(line)).toMatchObject({ kind: 'usage', text: expect.stringMatching(/^Unknown/) as string });
  });

  it.each(['-c', '-c a.yaml -i', '-i -k'])('wants a value in %s', (line) => {
    expect(parse(line)).toMatchObject({ kind: 'usage' });
  });

  it('wants a configuration', () => {
    expect(parse('')).toMatchObject({ kind: 'usage' });
  });

  const connection = { address: undefined, tokenFile: undefined, output: 'table' };

  it('reads a drain of a service, or of the whole host', () => {
    const drain = (action: object) => ({
      kind: 'action',
      action: {
        ...{ kind: 'drain', service: undefined, reason: undefined, for: undefined, until: undefined },
        ...{ shutdown: false, wait: false, timeout: '5m', ...connection, ...action },
      },
    });
    expect(parse('drain web')).toEqual(drain({ service: 'web' }));
    expect(parse('drain --all --for 10m --reason disk')).toEqual(drain({ for: '10m', reason: 'disk' }));
    expect(parse('drain --until 2030-01-31 web --wait --timeout 90 --shutdown')).toEqual(
      drain({ service: 'web', until: '2030-01-31', wait: true, timeout: '90', shutdown: true }),
    );
    expect(parse('drain 007')).toEqual(drain({ service: '007' }));
    expect(parse('undrain web --address /a.sock --token-file t -o json')).toEqual({
      kind: 'action',
      action: { kind: 'undrain', service: 'web', address: '/a.sock', tokenFile: 't', output: 'json' },
    });
    expect(parse('undrain --all')).toMatchObject({ action: { kind: 'undrain', service: undefined } });
  });

  it('reads weights, as whole numbers from 0 to 256', () => {
    const weight = (change: unknown) => ({
      kind: 'action',
      action: { kind: 'weight', service: 'web', change, ...connection },
    });
    expect(parse('weight web')).toEqual(weight(undefined));
    expect(parse('weight web 0')).toEqual(weight(0));
    expect(parse('weight web 256')).toEqual(weight(256));
    expect(parse('weight web --clear')).toEqual(weight('clear'));
  });

  it.each([
    ...['drain', 'drain web --all', 'undrain', 'undrain web --all', 'drain web users'],
    ...[
      'drain web --for 1m --until 2030-01-31',
      'drain web --for',
      'undrain web --for 1m',
      'drain web --frob',
    ],
    ...[
      'weight',
      'weight web 257',
      'weight web -1',
      'weight web 1.5',
      'weight web 1e1',
      'weight web 5 --clear',
    ],
    ...['status a b', 'status -o xml', 'status --address', 'probe', 'frob web', 'check-config x'],
  ])('does not do %s', (line) => {
    expect(parse(line)).toMatchObject({ kind: 'usage', text: expect.stringMatching(/./) as string });
  });

  it('probes what the configuration has, which it must be told', () => {
    expect(parse('probe web', { NERVE_CONFIG: 'a.yaml', NERVE_CHECK_CONFIG: '1' })).toEqual({
      kind: 'action',
      action: { kind: 'probe', service: 'web', file: 'a.yaml', instanceId: undefined, output: 'table' },
    });
    expect(parse('probe web')).toMatchObject({ kind: 'usage' });
  });

  it('writes a first configuration to stdout, or to a file', () => {
    const init = (file: string | undefined) => ({ kind: 'action', action: { kind: 'init', file } });
    expect(parse('init')).toEqual(init(undefined));
    expect(parse('init --output -')).toEqual(init(undefined));
    expect(parse('init -o a.yaml')).toEqual(init('a.yaml'));
    expect(parse('init --output=table')).toEqual(init('table'));
    for (const line of ['init a.yaml', 'init -o', 'init --output=', 'init -c a.yaml'])
      expect(parse(line), line).toMatchObject({ kind: 'usage' });
  });

  it('helps', () => {
    expect(parse('-h')).toMatchObject({
      kind: 'help',
      text: expect.stringContaining('--check-config') as string,
    });
    expect(parse('--help')).toMatchObject({ kind: 'help' });
    expect(parse('--version')).toEqual({ kind: 'version', text: '1.2.3' });
  });
});

describe('plainCommand', () => {
  it('says of what it understands exactly what the whole parser says, and leaves it the rest', () => {
    const env = { NERVE_INSTANCE_ID: 'i-env', NERVE_CHECK_CONFIG: '' };
    for (const args of [
      ['-c', 'a.yaml'],
      ['--config', 'b c'],
    ]) {
      for (const one of [env, {}]) {
        expect(plainCommand(args, one)).toBeDefined();
        expect(plainCommand(args, one)).toEqual(parseCommandLine(args, one, '1'));
      }
    }
    for (const line of ['', '-c', '-c -k', '-c a -k', '-ca', '--config=a', '-h', '-c a b'])
      expect(plainCommand(line.split(' '), env), line).toBeUndefined();
  });
});
