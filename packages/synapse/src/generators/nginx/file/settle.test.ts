import { FakeClock } from '@smartstack/agent/testing';
import { describe, expect, it } from 'vitest';
import { parseLine, type Section } from '../sections.js';
import { reasonIn } from './blame.js';
import { Quarantine } from './quarantine.js';
import { settle, type SettleInput } from './settle.js';

const contexts = { main: ['user a'], events: [] };
const path = '/etc/nginx.conf.candidate';

function section(service: string, ...lines: readonly string[]): Section {
  const text = [`\tupstream ${service} {`, ...lines.map((line) => `\t\t${line};`), '\t}'];
  return { service, context: service.startsWith('tcp') ? 'stream' : 'http', lines: text.map(parseLine) };
}

function bed(...sections: readonly Section[]) {
  const clock = new FakeClock();
  const state = {
    clock,
    sections,
    old: new Map<string, Section>(),
    quarantine: new Quarantine(clock),
    checks: 0,
    /** What the stand-in for nginx says of a text; undefined: that it is fine. */
    says: ((): string | undefined => undefined) as (text: string) => string | undefined,
  };
  const run = () => {
    const input: SettleInput = {
      ...{ config: { contexts }, sections: state.sections, old: state.old, quarantine: state.quarantine },
      ...{ paths: [path], accepted: undefined },
      check: (text) => {
        state.checks += 1;
        const output = state.says(text);
        return Promise.resolve({ valid: output === undefined, output: output ?? '' });
      },
    };
    return settle(input);
  };
  return Object.assign(state, { run });
}
/** As nginx: the first line with this word, by its number. */
const rejects =
  (word: string, named = true) =>
  (text: string): string | undefined => {
    const at = text.split('\n').findIndex((line) => line.includes(word));
    if (at < 0) return undefined;
    return `2026/01/01 [emerg] 1#1: bad "${word}"${named ? ` in ${path}:${at + 1}` : ''}\nnginx: test failed`;
  };
const names = (sections: readonly Section[]): readonly string[] => sections.map(({ service }) => service);

describe('settle', () => {
  it.each([true, false])(
    'leaves out a service that nginx rejects, whether it names a line or not (%s)',
    async (named) => {
      const it = bed(section('a', 'x'), section('b', 'bad'), section('c', 'x'), section('d', 'x'));
      it.says = rejects('bad', named);
      expect(names((await it.run()).sections)).toEqual(['a', 'c', 'd']);
      expect(it.quarantine.entries).toEqual([
        { service: 'b', reason: expect.stringContaining('bad "bad"') as string, kept: 'left-out' },
      ]);
      // It is no news for as long as it is the same.
      const before = it.checks;
      await it.run();
      expect(it.checks).toBe(before + 1);
      await it.clock.advance(60_000);
      it.says = () => undefined;
      expect(names((await it.run()).sections)).toEqual(['a', 'b', 'c', 'd']);
      expect(it.quarantine.entries).toEqual([]);
    },
  );

  it('has the lines from before with the instances of now, and nothing where those are rejected too', async () => {
    const it = bed(section('a', 'bad', 'server 10.0.0.2:80 weight=2'));
    it.old.set(
      'a',
      section('a', 'good', 'server 10.0.0.1:80 max_fails=3 weight=9', 'server 10.0.0.9:80 max_fails=3'),
    );
    it.says = rejects('bad');
    const { sections } = await it.run();
    expect(sections[0]?.lines.map(({ text }) => text.trim())).toEqual([
      'upstream a {',
      'good;',
      'server 10.0.0.2:80 max_fails=3 weight=2;',
      '}',
    ]);
    expect(it.quarantine.entries).toMatchObject([{ kept: 'last-good' }]);
    // An instance more is no other line of the operator's.
    it.sections = [section('a', 'bad', 'server 10.0.0.2:80', 'server 10.0.0.3:80')];
    const before = it.checks;
    expect((await it.run()).sections[0]?.lines).toHaveLength(5);
    expect(it.checks).toBe(before + 1);
    it.says = (text) => rejects('bad')(text) ?? rejects('good')(text);
    expect((await it.run()).sections).toEqual([]);
    expect(it.quarantine.entries).toMatchObject([{ kept: 'left-out' }]);
  });

  it('goes on with http where nginx has no stream module, and says how to get it', async () => {
    const it = bed(section('tcp1', 'x'), section('web', 'x'), section('tcp2', 'x'));
    it.says = (text) => {
      const at = text.split('\n').indexOf('stream {');
      return at < 0 ? undefined : `[emerg] 1#1: unknown directive "stream" in ${path}:${at + 1}`;
    };
    expect(names((await it.run()).sections)).toEqual(['web']);
    expect(it.quarantine.entries.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('libnginx-mod-stream'),
      expect.stringContaining('libnginx-mod-stream'),
    ]);
  });

  it("throws where it is nobody's fault", async () => {
    const it = bed(section('a', 'x'));
    it.says = rejects('user a');
    await expect(it.run()).rejects.toThrow('nginx rejects the configuration: bad "user a"');
    expect(it.quarantine.entries).toEqual([]);
  });
});

it('the reason is what made it fail, not what it complains about first', () => {
  const output = [
    'nginx: [alert] could not open error log file: open() "/var/log/nginx/error.log" failed (13: Permission denied)',
    '2026/01/01 00:00:00 [warn] 7#7: the "user" directive makes sense only if …',
    '2026/01/01 00:00:00 [emerg] 7#7: unknown directive "x" in /etc/nginx.conf:3',
  ].join('\n');
  expect(reasonIn(output)).toBe('unknown directive "x" in /etc/nginx.conf:3');
  expect(reasonIn('')).toBe('it says nothing');
});
