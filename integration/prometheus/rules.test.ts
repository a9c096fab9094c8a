import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

const root = resolve(import.meta.dirname, '../..');
const [rules, boards] = [join(root, 'config/prometheus'), join(root, 'config/grafana')];
const folder = makeTempDir('rules');
afterAll(() => removeTempDir(folder));

interface Board {
  readonly uid: string;
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const promtool = (...args: readonly string[]): string =>
  execFileSync('promtool', args, { cwd: rules, encoding: 'utf8', stdio: 'pipe' });

/** Every expression of the rules and of the panels, by where it stands. */
function expressions(): ReadonlyMap<string, string> {
  const file = parse(readFileSync(join(rules, 'smartstack.rules.yaml'), 'utf8')) as {
    groups: { rules: { record?: string; alert?: string; expr: string }[] }[];
  };
  const ofRules = file.groups.flatMap((group) =>
    group.rules.map(({ record, alert, expr }) => [record ?? alert ?? '', expr] as const),
  );
  const ofPanels = readdirSync(boards).flatMap((name) => {
    const { uid, panels } = JSON.parse(readFileSync(join(boards, name), 'utf8')) as Board;
    return panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }, index) => [`${uid}: ${title} ${index}`, expr] as const),
    );
  });
  return new Map([...ofRules, ...ofPanels]);
}

describe('what Prometheus and Grafana are given', () => {
  it('alerts of what is wrong, and of nothing else', () => {
    expect(promtool('check', 'rules', 'smartstack.rules.yaml')).toContain('SUCCESS');
    expect(promtool('test', 'rules', 'smartstack.rules.test.yaml')).toContain('SUCCESS');
    expect(promtool('check', 'config', 'prometheus.yaml')).toContain('is valid');
  });

  it('asks for metrics that there are, in expressions that Prometheus takes', () => {
    const operations = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    const known = new Set([...operations.matchAll(/^\| `(smartstack_\w+)`/gm)].map(([, name]) => name));
    const all = expressions();
    expect(all.size).toBeGreaterThan(40);
    const strange = [...all].flatMap(([place, expr]) =>
      [...expr.matchAll(/(?<![\w:])smartstack_\w+/g)]
        .map(([name]) => name.replace(/_bucket$/, ''))
        .filter((name) => !known.has(name))
        .map((name) => `${place}: ${name}`),
    );
    expect(strange).toEqual([]);
    const file = join(folder, 'panels.yaml');
    const wrapped = [...all.values()].map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, 'any'),
    }));
    writeFileSync(file, stringify({ groups: [{ name: 'panels', rules: wrapped }] }));
    expect(promtool('check', 'rules', file)).toContain(`${all.size} rules found`);
  });
});
