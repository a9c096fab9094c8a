import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseConfigText } from './parse.js';
import { schemaFile } from './schemaFile.js';
import { ConfigError, formatIssue, formatPath } from './types.js';
import { validateConfig } from './validate.js';

const check = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('tcp'), timeout: z.number().positive().optional() }),
  z.strictObject({ type: z.literal('http'), uri: z.string() }),
]);
const service = z
  .strictObject({
    host: z.string(),
    port: z.union([z.int().min(1).max(65_535), z.string().regex(/^\d+$/, 'Not a port')]),
    zk_hosts: z.array(z.string()).min(1),
    checks: z.array(check).default([]),
    labels: z.record(z.string().regex(/^[a-z]+$/, 'Not a label name'), z.string()).optional(),
  })
  .refine((value) => value.host !== 'nowhere', 'No service is nowhere')
  .transform((value) => ({ ...value, zkHosts: value.zk_hosts }));
const schema = z.strictObject({ instance_id: z.string(), services: z.record(z.string(), service) });

function problems(text: string, at?: readonly PropertyKey[]): readonly string[] {
  const parsed = parseConfigText('nerve.yaml', text);
  const result = at ? validateConfig(parsed, service, at) : validateConfig(parsed, schema);
  expect(result.value === undefined).toBe(result.issues.length > 0);
  return [...parsed.issues, ...result.issues].map(formatIssue);
}

const good = 'instance_id: i\nservices:\n  web:\n    host: h\n    port: 80\n    zk_hosts: [a]\n';

describe('validateConfig', () => {
  it('gives the value, transformed, and no issues', () => {
    const { value } = validateConfig(parseConfigText('nerve.yaml', good), schema);
    expect(value?.services.web).toEqual({ host: 'h', port: 80, zk_hosts: ['a'], zkHosts: ['a'], checks: [] });
    expect(problems(good)).toEqual([]);
  });

  it('gives all issues at once, in the order of the file', () => {
    const text = [
      'services:',
      '  web:',
      '    port: 70000',
      '    zk_host: [a]',
      '    zk_hosts: []',
      '    checks:',
      '      - {type: tcp, timeout: -1, timout: 2}',
      '      - {type: https}',
      '      - tcp',
      '    labels: {a: 1, B: x}',
      '  "a b": 5',
      'instance-id: x',
    ];
    expect(problems(text.join('\n'))).toEqual([
      'nerve.yaml:1:1 instance_id: Required: expected string',
      'nerve.yaml:2:3 services.web.host: Required: expected string',
      'nerve.yaml:3:11 services.web.port: Too big: expected number to be <=65535',
      'nerve.yaml:4:5 services.web.zk_host: Unknown key, did you mean "zk_hosts"?',
      'nerve.yaml:5:15 services.web.zk_hosts: Too small: expected array to have >=1 items',
      'nerve.yaml:7:30 services.web.checks[0].timeout: Too small: expected number to be >0',
      'nerve.yaml:7:34 services.web.checks[0].timout: Unknown key, did you mean "timeout"?',
      "nerve.yaml:8:16 services.web.checks[1].type: Invalid discriminator value. Expected 'tcp' | 'http'",
      'nerve.yaml:9:9 services.web.checks[2]: Invalid input: expected object, received string',
      'nerve.yaml:10:17 services.web.labels.a: Invalid input: expected string, received number',
      'nerve.yaml:10:20 services.web.labels.B: Not a label name',
      'nerve.yaml:11:10 services["a b"]: Invalid input: expected object, received number',
      'nerve.yaml:12:1 instance-id: Unknown key, did you mean "instance_id"?',
    ]);
  });

  it('reports what a refinement says at the object, and a union by the branch that was meant', () => {
    expect(problems(good.replace('host: h', 'host: nowhere'))).toEqual([
      'nerve.yaml:4:5 services.web: No service is nowhere',
    ]);
    expect(problems(good.replace('80', "'eighty'"))).toEqual([
      'nerve.yaml:5:11 services.web.port: Not a port',
    ]);
    expect(problems(good.replace('80', '[80]'))).toEqual([
      'nerve.yaml:5:11 services.web.port: Invalid input: expected number, received array, or Invalid input: expected string, received array',
    ]);
  });

  it('validates a part of a file', () => {
    expect(problems(good.replace('80', '0'), ['services', 'web'])).toEqual([
      'nerve.yaml:5:11 services.web.port: Too small: expected number to be >=1',
    ]);
    expect(problems(good, ['services', 'missing'])).toEqual([
      'nerve.yaml:2:1 services.missing: Required: expected object',
    ]);
  });

  it('adds nothing to a file that could not be parsed', () => {
    const parsed = parseConfigText('nerve.yaml', 'a: [');
    expect(validateConfig(parsed, schema)).toEqual({ value: undefined, issues: [] });
  });

  it('takes every value for what it is: an inherited name is no key', () => {
    const parsed = parseConfigText('nerve.yaml', 'a: 1');
    expect(validateConfig(parsed, z.string(), ['constructor', 'name']).issues).toHaveLength(1);
  });
});

describe('formatIssue', () => {
  const base = { file: 'a.yaml', line: 1, column: 2, path: 'a.b', message: 'm', severity: 'error' } as const;

  it.each([
    [base, 'a.yaml:1:2 a.b: m'],
    [{ ...base, path: '' }, 'a.yaml:1:2 m'],
    [{ ...base, path: '', line: 0, column: 0 }, 'a.yaml: m'],
    [{ ...base, severity: 'warning' }, 'a.yaml:1:2 a.b: m (warning)'],
    [{ ...base, message: 'x\ny\u001b[2J\u2028' }, 'a.yaml:1:2 a.b: x\\u000ay\\u001b[2J\\u2028'],
  ] as const)('writes %j on one line', (issue, text) => expect(formatIssue(issue)).toBe(text));

  it('quotes what is no plain key', () => {
    expect(formatPath(['a', 0, 'b-c', 'd.e', 'f\n', 'ü'])).toBe('a[0].b-c["d.e"]["f\\n"].ü');
  });

  it('makes the message of a ConfigError', () => {
    const error = new ConfigError([base, { ...base, line: 2 }]);
    expect(error.message).toBe('a.yaml:1:2 a.b: m\na.yaml:2:2 a.b: m');
    expect(error).toMatchObject({ code: 'config', retriable: false, name: 'ConfigError' });
  });
});

describe('schemaFile', () => {
  it('describes what may be written: inputs, not results', () => {
    const written = JSON.parse(schemaFile(schema, 'nerve.yaml')) as Record<string, never>;
    expect(written).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'nerve.yaml',
      required: ['instance_id', 'services'],
      additionalProperties: false,
    });
    // `checks` has a default, so that it may be left out; `zkHosts` is ours.
    expect(JSON.stringify(written)).toContain('"required":["host","port","zk_hosts"]');
    expect(JSON.stringify(written)).not.toContain('zkHosts');
  });
});
