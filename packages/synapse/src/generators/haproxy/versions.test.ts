import { readFileSync } from 'node:fs';
import { systemClock } from '@smartstack/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { parseBindFailures, parseConfigMessages } from './file/configMessages.js';
import { observedState } from './plan/observed.js';
import { hasFailedSince, parseShowProc, reloadThroughMaster } from './process/masterCli.js';
import { ReloadError } from './process/reloadError.js';
import { carryOut } from './runtime/runtimeApi.js';
import { RuntimeSession } from './runtime/runtimeClient.js';
import { FakeCli } from './testing/fakeCli.js';

/** What one version said of the same file (backends web and empty) and the same mistakes, as its binary wrote it. */
interface Recorded {
  readonly info: string;
  readonly serversState: string;
  readonly backends: string;
  /** Answers to `set server ... addr`: to what it has, to another port, to another address. */
  readonly setAddress: readonly string[];
  readonly procStarted: string;
  /** After a reload that failed. */
  readonly procBad?: string;
  /** The answer to a reload of a bad file, or with a port that is taken. */
  readonly reloadBad?: string;
  readonly reloadTaken?: string;
  /** What a version without such answers wrote when a port was taken. */
  readonly log?: string;
  /** `haproxy -c` of a file with an unknown option in line 23 and an unknown keyword in line 25. */
  readonly checkBad: string;
  /** `haproxy -c` of a frontend and a backend of one name. */
  readonly sameName?: string;
}

const folder = new URL('./testdata/versions.json', import.meta.url);
const recorded = Object.entries(JSON.parse(readFileSync(folder, 'utf8')) as Record<string, Recorded>);
const withProc = recorded.filter(([, { procBad }]) => procBad !== undefined);
const withAnswer = recorded.filter(([, { reloadBad }]) => reloadBad !== undefined);

let cli: FakeCli | undefined;
afterEach(async () => {
  await cli?.stop();
  cli = undefined;
});

describe.each(recorded)('HAProxy %s', (version, texts) => {
  it('is understood: its process, its backends and its servers', () => {
    const observed = observedState(texts)!;
    expect(observed.process.version.startsWith(version)).toBe(true);
    expect(observed.process.pid).toBeGreaterThan(1);
    expect([...observed.backends.keys()]).toEqual(expect.arrayContaining(['web', 'empty']));
    expect(observed.backends.get('empty')?.size).toBe(0);
    const servers = [...observed.backends.get('web')!.values()];
    expect(
      servers.map(({ name, id, address, port, weight, admin, checked }) =>
        [name, id, `${address}:${port}`, weight, admin, checked].join(' '),
      ),
    ).toEqual([
      's1 7 127.0.0.1:1 1 ready true',
      's2 2 127.0.0.1:2 5 maint false',
      's3 3 ::1:3 1 ready false',
    ]);
  });

  it('is understood: its master', () => {
    const status = parseShowProc(texts.procStarted)!;
    expect(status).toMatchObject({ reloads: 0, failed: 0, oldWorkers: [] });
    expect(status.workers).toMatchObject([{ pid: expect.any(Number) as number, reloads: 0 }]);
  });

  it('names the lines that it refuses', () => {
    const errors = parseConfigMessages(texts.checkBad).filter(({ severity }) => severity === 'error');
    expect(errors.map(({ line }) => line)).toEqual([23, 25]);
    expect(errors[0]?.text).toContain("unknown keyword 'frobnicate'");
    for (const { line } of parseConfigMessages(texts.sameName ?? '')) expect(line).toBe(16);
  });

  it('takes an address, also the one that it has', async () => {
    for (const answer of texts.setAddress) {
      cli = await FakeCli.start(() => answer);
      const session = await RuntimeSession.open(cli.path, { clock: systemClock, deadlineMs: 1_000 });
      const outcome = await carryOut(
        { kind: 'set-address', backend: 'web', server: 's1', address: '127.0.0.1', port: 1 },
        {
          session,
          clock: systemClock,
          confirm: () => Promise.resolve(undefined),
          deletion: { attempts: 1, beforeNewAddress: 1 },
        },
      );
      expect(outcome).toEqual({ result: 'done' });
      session.close();
      await cli.stop();
      cli = undefined;
    }
  });

  it('tells who has an address that it wants', () => {
    const said = texts.reloadTaken ?? texts.log;
    if (said === undefined) return;
    const [failure, ...others] = parseBindFailures(said);
    expect(others).toEqual([]);
    expect(failure).toMatchObject({ severity: 'error', isAddress: true });
    expect(failure?.text).toMatch(/taken'?: .*cannot bind socket/);
    expect(failure?.line).toBe(version.startsWith('2.4') ? undefined : 23);
  });
});

describe.each(withProc)(
  'HAProxy %s after a reload that failed',
  (_version, { procStarted, procBad = '' }) => {
    it('still has its worker, which is no old one, and says that it failed', () => {
      const status = parseShowProc(procBad)!;
      expect(status.workers).toHaveLength(1);
      expect(status).toMatchObject({ failed: 1, oldWorkers: [] });
      const before = { ...parseShowProc(procStarted)!, pid: status.pid };
      expect(hasFailedSince(before, status)).toBe(true);
      expect(hasFailedSince(status, status)).toBe(false);
      // Another master has no failure of that one's.
      expect(hasFailedSince({ ...before, pid: before.pid + 1 }, status)).toBe(false);
    });
  },
);

describe.each(withAnswer)(
  'the master of HAProxy %s',
  (_version, { procStarted, reloadBad = '', reloadTaken }) => {
    const options = { clock: systemClock, deadlineMs: 1_000, patienceMs: 5_000 };

    async function reload(answer: string): Promise<unknown> {
      cli = await FakeCli.start((command) => (command === 'reload' ? answer : procStarted));
      return reloadThroughMaster(cli.path, options).catch((error: unknown) => error);
    }

    it('tells at once what is wrong with a file', async () => {
      const error = await reload(reloadBad);
      expect(error).toBeInstanceOf(ReloadError);
      expect((error as ReloadError).message).toContain("unknown keyword 'frobnicate'");
      expect((error as ReloadError).messages).toEqual([]);
    });

    it('names the address that is taken, so that its service can be held back', async () => {
      if (reloadTaken === undefined) return;
      const error = await reload(reloadTaken);
      expect((error as ReloadError).messages).toMatchObject([{ line: 23, isAddress: true }]);
    });
  },
);

it('waits while a master loads something else', async () => {
  const started = recorded.find(([version]) => version === '3.4.0')![1].procStarted;
  const pid = parseShowProc(started)!.workers[0]!.pid;
  let asked = 0;
  cli = await FakeCli.start((command) => {
    if (command.startsWith('@!')) return 'Pid: 99999';
    if (command !== 'reload') return asked > 2 ? started.replace(`${pid} `, '99999 ') : started;
    asked += 1;
    return asked > 2 ? 'Success=1\n--\n' : 'Success=0\n--\nAnother reload is still in progress.\n';
  });
  const options = { clock: systemClock, deadlineMs: 1_000, patienceMs: 10_000 };
  expect((await reloadThroughMaster(cli.path, options)).workers[0]?.pid).toBe(99_999);
  expect(asked).toBe(3);
});
