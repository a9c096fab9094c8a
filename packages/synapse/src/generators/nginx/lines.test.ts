import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argumentsProblem, directive, directiveProblem } from './lines.js';

describe('directiveProblem', () => {
  it.each([
    'worker_connections 1024',
    'location / { return 200 "a;b}"; }',
    'log_format main "$remote_addr {\\"a\\": 1}"',
    'set $x ${y}z',
    "add_header X 'it''s'",
    'return 301 https://$host$request_uri#top',
  ])('takes %j', (line) => {
    expect(directiveProblem(line)).toBeUndefined();
  });

  it.each([
    ['}', 'closes a block'],
    ['return 200; } server { listen 1', 'closes a block'],
    ['location / {', 'opens a block'],
    ['return 200 "open', 'without its counterpart'],
    ['access_log off # really', 'no comment'],
    ['a\nb', 'single line'],
    ['set $x ${y', 'variable without an end'],
    ['root /x\\', 'backslash'],
    [' ', 'must not be empty'],
  ])('refuses %j', (line, why) => {
    expect(directiveProblem(line)).toContain(why);
  });
});

it('only a block has no ; after it', () => {
  expect(directive('location / { return 204; }')).toBe('location / { return 204; }');
  expect(directive('return 200 ${x}')).toBe('return 200 ${x};');
  expect(directive('return 200 "}"')).toBe('return 200 "}";');
});

it('arguments are plain words, whatever they are', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from('a=1 ;{}#"\'\\$\n\r\t')) }), (words) => {
      if (argumentsProblem(words) !== undefined) return;
      expect(words).not.toMatch(/[;{}#"'\\$\n\r]/);
    }),
  );
  expect(argumentsProblem('max_fails=3 fail_timeout=5s backup')).toBeUndefined();
});
