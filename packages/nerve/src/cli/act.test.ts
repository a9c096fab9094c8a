import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { command, type Answer, fakeAgent, view } from '../testing/fakeAgent.js';

/** Runs a command against an agent that always answers this. */
async function ask(line: string, answer: Answer) {
  const { address, asked } = await fakeAgent(() => answer);
  return { ...(await command([...line.split(' '), '--address', address])), asked };
}

const list = (...services: readonly unknown[]): Answer => ({ value: { drain: null, services } });
const drain = { since: 0, by: 'bob', reason: '\x1b[2Jdisk' };

describe('nerve status', () => {
  it('exits with 0 when all is well, and with 1 when something is not', async () => {
    expect(await ask('status', list(view('web'), view('users')))).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^SERVICE [^]*\nweb +up [^]*\nusers +up /) as string,
      stderr: '',
    });
    expect((await ask('status', list())).code).toBe(0);
    expect((await ask('status', list(view('web'), view('users', { health: 'down' })))).code).toBe(1);
    expect((await ask('status web', { value: view('web') })).code).toBe(0);
    expect((await ask('status web', { value: view('web', { health: 'unknown' }) })).code).toBe(1);
  });

  it('begins with the drain of the host', async () => {
    const { code, stdout } = await ask('status', { value: { drain, services: [view('web')] } });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^host drained, since 1970-01-01T00:00:00Z, by bob, because:  \[2Jdisk\n\nSERVICE/,
    );
  });

  it('gives programs all that the agent says, also what is newer than this', async () => {
    const answer = { drain: null, services: [{ ...view('web'), news: [1] }] };
    const { stdout } = await ask('status -o json', { value: answer });
    expect(JSON.parse(stdout)).toEqual(answer);
  });

  it('asks for a service by its encoded name', async () => {
    const { asked } = await ask('status ../x?y', { value: view('../x?y') });
    expect(asked[0]?.url).toBe('/v1/services/..%2Fx%3Fy');
  });
});

describe('nerve weight', () => {
  const weight = { configured: 10, ordered: { value: 20, since: 0 }, published: 12 };
  const answer: Answer = {
    value: { ...view('web', { weight }), services: ['web'], stillDrained: [], saved: true },
  };

  it('shows, sets and clears', async () => {
    const shown = await ask('weight web', answer);
    expect(shown).toMatchObject({ code: 0, stdout: 'configured 10, ordered 20, published 12\n' });
    expect(shown.asked.map(({ method }) => method)).toEqual(['GET']);
    const set = await ask('weight web 0', answer);
    expect(set.asked[0]).toMatchObject({
      ...{ method: 'PUT', url: '/v1/services/web/weight', body: { weight: 0, by: 'ann' } },
    });
    const cleared = await ask('weight web --clear -o json', answer);
    expect(cleared.asked[0]).toMatchObject({ method: 'DELETE', body: undefined });
    expect(JSON.parse(cleared.stdout)).toEqual(weight);
  });
});

describe('act', () => {
  it('has an exit code for each kind of failure', async () => {
    const refused = (status: number): Answer => ({ status, value: { error: 'no, \x1b[31mnever' } });
    expect(await ask('status', refused(400))).toMatchObject({ code: 64, stderr: 'nerve: no,  [31mnever\n' });
    for (const status of [401, 403, 404, 409, 413, 500])
      expect(await ask('undrain web', refused(status)), String(status)).toMatchObject({
        code: 1,
        stdout: '',
      });
    expect(await ask('drain web', 'broken')).toMatchObject({
      ...{ code: 69, stdout: '', stderr: expect.stringContaining('systemctl status nerve') as string },
    });
  });

  it.each([
    ['status', null],
    ['status', []],
    ['status', { services: [{ service: 'web' }] }],
    ['status web', { drain: null, services: [] }],
    ['drain web', { services: [1], stillDrained: [], saved: true }],
    ['weight web 5', 'fine'],
  ])('says that who answers %s with %j is no nerve', async (line, value) => {
    expect(await ask(line, { value })).toMatchObject({
      ...{
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('it does not answer as nerve does') as string,
      },
    });
  });

  it('shows the token of a file, and refuses one that holds none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nerve-cli-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    writeFileSync(file, 'abc-123\n');
    const { asked } = await ask(`undrain web --token-file ${file}`, { status: 404, value: {} });
    expect(asked[0]?.authorization).toBe('Bearer abc-123');
    for (const text of ['', '\n', 'two words', 'two\nlines', 'ä']) {
      writeFileSync(file, text);
      const result = await ask(`undrain web --token-file ${file}`, { value: {} });
      expect(result, JSON.stringify(text)).toMatchObject({ code: 64, asked: [] });
    }
  });
});
