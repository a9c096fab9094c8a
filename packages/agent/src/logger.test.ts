import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from './errors.js';
import { createLogger, type LogFields, type LoggerOptions, silentLogger } from './logger.js';

function recording(format: LoggerOptions['format'], level: LoggerOptions['level'] = 'debug') {
  const stream = new PassThrough();
  const logger = createLogger({ level, format, stream });
  return { logger, stream, text: () => String(stream.read() ?? '') };
}

/** The one line written for `fields`, without its time. */
function line(format: LoggerOptions['format'], message: string, fields?: LogFields): string {
  const { logger, text } = recording(format);
  logger.warn(message, fields);
  const written = text();
  expect(written.endsWith('\n')).toBe(true);
  return written.slice(0, -1).replace(/^\S+Z /, '');
}

function json(message: string, fields?: LogFields): Record<string, unknown> {
  return JSON.parse(line('json', message, fields)) as Record<string, unknown>;
}

describe('createLogger, json', () => {
  it('writes an object a line, with the fields of the logger and its parents', () => {
    const { logger, text } = recording('json');
    logger.child({ component: 'zookeeper', host: 'a' }).child({ host: 'b' }).info('connected', { epoch: 1 });
    const { timestamp, ...rest } = JSON.parse(text()) as Record<string, unknown>;
    expect(rest).toEqual({
      level: 'info',
      message: 'connected',
      component: 'zookeeper',
      host: 'b',
      epoch: 1,
    });
    expect(new Date(String(timestamp)).toISOString()).toBe(timestamp);
  });

  it('keeps level, message and time from being overwritten by fields', () => {
    const fields = { level: 'debug', message: 'forged', timestamp: 'never', splat: [1], stack: 's' };
    expect(json('real', fields)).toMatchObject({
      level: 'warn',
      message: 'real',
      level_: 'debug',
      message_: 'forged',
      timestamp_: 'never',
      splat: [1],
      stack: 's',
    });
  });

  it('writes errors so that they help: code and causes, and a stack where it is a bug', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 1 });
    const error = new AgentError('reload', 'Cannot reload', { cause, retriable: true });
    expect(json('failed', { error }).error).toEqual({
      name: 'AgentError',
      message: 'Cannot reload',
      code: 'reload',
      retriable: true,
      cause: { name: 'Error', message: 'connect ECONNREFUSED', code: 'ECONNREFUSED', port: 1 },
    });
    expect(json('bug', { error: new TypeError('x is undefined') }).error).toMatchObject({
      name: 'TypeError',
      stack: expect.stringContaining('logger.test.ts') as string,
    });
  });

  it('writes what JSON cannot say', () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const hostile = {
      get broken(): never {
        throw new Error('no');
      },
    };
    const fields = {
      big: 2n ** 70n,
      map: new Map([['a', new Set([1])]]),
      nan: NaN,
      date: new Date(0),
      bytes: Buffer.from('hi'),
      circular,
      hostile,
      undef: undefined,
      fn: () => 1,
    };
    expect(json('all', fields)).toMatchObject({
      big: '1180591620717411303424',
      map: { a: [1] },
      nan: 'NaN',
      date: '1970-01-01T00:00:00.000Z',
      bytes: 'hi',
      circular: { self: '[circular]' },
      hostile: '[unreadable: Error: no]',
      fn: '[function]',
    });
  });

  it('obeys its level', () => {
    const { logger, text } = recording('json', 'warn');
    logger.debug('a');
    logger.info('b');
    expect(text()).toBe('');
    logger.warn('c');
    logger.error('d');
    expect(text().split('\n')).toHaveLength(3);
  });

  it('survives a reader that goes away', () => {
    const { logger, stream } = recording('json');
    stream.destroy(new Error('EPIPE'));
    expect(() => logger.info('on')).not.toThrow();
  });
});

describe('createLogger, console', () => {
  it.each<[LogFields | undefined, string]>([
    [undefined, 'warn  changed'],
    [{ component: 'haproxy', count: 3, ok: true }, 'warn  haproxy: changed count=3 ok=true'],
    [{ host: '10.0.0.1:80', path: '/a/b' }, 'warn  changed host=10.0.0.1:80 path=/a/b'],
    [
      { text: 'two words', quote: 'a"b', equals: 'a=b', empty: '' },
      String.raw`warn  changed text="two words" quote="a\"b" equals="a=b" empty=""`,
    ],
    [{ list: ['a', 1], none: null, gone: undefined }, 'warn  changed list=["a",1] none=null'],
    [{ error: new AgentError('x', 'no way') }, 'warn  changed error="AgentError: no way"'],
    [{ 'a b': 'c' }, 'warn  changed "a b"=c'],
  ])('writes %j for people', (fields, text) => expect(line('console', 'changed', fields)).toBe(text));

  it('lets no value, key, message or component forge a line or a field', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'x\n2024-01-01T00:00:00.000Z error forged',
        '\u001b[2J',
        '\r',
        '\u2028',
        '\u202e',
        ' level=error',
        '\u0085',
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, (message, key, value, component) => {
        const written = line('console', message, {
          component,
          [`k${key}`]: value,
          nested: { [key]: [value] },
          last: 1,
        });
        expect(written).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(written.endsWith(' last=1')).toBe(true);
      }),
    );
    expect(line('console', 'x', { a: '1 b=2' })).toBe('warn  x a="1 b=2"');
  });
});

describe('silentLogger', () => {
  it('says nothing, children included', () => {
    expect(silentLogger.child({ a: 1 })).toBe(silentLogger);
    expect(() => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) silentLogger[level]('x');
    }).not.toThrow();
  });
});
