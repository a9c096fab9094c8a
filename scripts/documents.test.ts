import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ownPoints } from '../packages/synapse/src/checkup/points/index.ts';
import { haproxyKind } from '../packages/synapse/src/generators/haproxy/index.ts';
import { loggedIn, logMessages } from './logMessages.ts';

const root = resolve(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'config/README.md'],
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

describe('the log table of docs/operations.md', () => {
  const table = /<!-- log -->([^]*?)<!-- end of log -->/.exec(read('docs/operations.md'))?.[1] ?? '';
  const rows = table.split('\n').slice(4);
  const documented = rows.flatMap((row) => {
    const [, messages = ''] = row.split(/(?<!\\)\|/);
    return [...messages.matchAll(/`([^`]+)`/g)].map(([, message]) => message ?? '');
  });

  it('has every message of the product, and no other', () => {
    expect(documented.toSorted()).toEqual([...logMessages()].toSorted());
  });

  it('is compared with what the code logs', () => {
    const source = `this.#logger.warn('a', { b: 'c' }); logger.info(x ? 'd' : 'e'); log.debug('f'); other.info('g'); log[level]('h');`;
    expect(loggedIn(source).toSorted()).toEqual(['a', 'd', 'e', 'h']);
  });
});

it('docs/operations.md has a heading for each point of synapse check', async () => {
  const points = [...ownPoints, ...((await haproxyKind.points?.()) ?? [])].map(({ id }) => id);
  const section = /\n## synapse check\n([^]*?)\n## /.exec(read('docs/operations.md'))?.[1] ?? '';
  const headings = [...section.matchAll(/^#### (.+)$/gm)].map(([, heading]) => heading);
  expect(headings.toSorted()).toEqual(points.toSorted());
});

/** The anchor that a heading gets on the usual sites. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

describe.each(documents)('%s', (document) => {
  it('links only to what exists', () => {
    const broken = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [path = '', fragment] = target.split('#');
        const file = path === '' ? join(root, document) : resolve(root, dirname(document), path);
        if (!existsSync(file)) return true;
        if (fragment === undefined) return false;
        const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)];
        return !headings.some(([, heading = '']) => anchor(heading) === fragment);
      });
    expect(broken).toEqual([]);
  });
});
