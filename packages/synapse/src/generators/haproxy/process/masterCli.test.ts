import { systemClock } from '@smartstack/agent';
import { afterEach, describe, expect, it } from 'vitest';
import { parseShowProc, reloadThroughMaster } from './masterCli.js';
import { ReloadError } from './reloadError.js';
import { FakeCli } from '../testing/fakeCli.js';

const head = '#<PID>          <type>          <reloads>       <uptime>        <version>      ';
const showProc = (reloads: number, failed: number, worker: string): string =>
  [
    head,
    `8874 master ${reloads} [failed: ${failed}] 0d00h00m03s 2.6.12-1`,
    '# workers',
    worker,
    '# programs',
    '',
  ].join('\n');

let cli: FakeCli | undefined;
afterEach(async () => {
  await cli?.stop();
  cli = undefined;
});
const options = { clock: systemClock, deadlineMs: 500, patienceMs: 300 };

describe('parseShowProc', () => {
  it('reads master, workers and old workers', () => {
    const text = [
      head,
      '8874            master          3 [failed: 0]   0d00h00m03s     2.6.12-1+deb12u4',
      '# workers',
      '9469            worker          0               0d00h00m00s     2.6.12-1+deb12u4',
      '# old workers',
      '8877            worker          3               1d02h03m04s     2.6.12-1+deb12u4',
      '8878            worker          2               0d00h00m02s     2.6.12-1+deb12u4',
      '# programs',
      '',
    ].join('\n');
    expect(parseShowProc(text)).toEqual({
      pid: 8874,
      reloads: 3,
      failed: 0,
      workers: [{ pid: 9469, reloads: 0, uptimeSeconds: 0 }],
      oldWorkers: [
        { pid: 8877, reloads: 3, uptimeSeconds: 93_784 },
        { pid: 8878, reloads: 2, uptimeSeconds: 2 },
      ],
    });
  });

  it('knows what is no answer of a master', () => {
    expect(parseShowProc('Unknown command')).toBeUndefined();
    expect(parseShowProc('')).toBeUndefined();
  });
});

describe('reloadThroughMaster', () => {
  async function reload(answers: {
    readonly reload: string;
    readonly after: string;
    /** Its workers do not answer. */
    readonly silent?: boolean;
  }) {
    let reloaded = false;
    cli = await FakeCli.start((command) => {
      if (command === 'reload') reloaded = true;
      if (command === 'reload') return answers.reload;
      if (command.startsWith('@!')) return answers.silent === true ? '' : `Pid: ${/\d+/.exec(command)![0]}`;
      return reloaded ? answers.after : showProc(1, 0, '10 worker 0 0d 2.6');
    });
    return reloadThroughMaster(cli.path, options);
  }

  it('succeeds when a new worker is there', async () => {
    const status = await reload({ reload: '', after: showProc(2, 0, '11 worker 0 0d 2.6') });
    expect(status.workers).toEqual([{ pid: 11, reloads: 0, uptimeSeconds: 0 }]);
  });

  it('does not take a worker that is listed and still reads its file for one that serves', async () => {
    const after = showProc(2, 0, '11 worker 0 0d 2.6');
    await expect(reload({ reload: '', after, silent: true })).rejects.toThrow(/300 ms/);
  });

  it("fails on the master's own count of failures, on its word, and on a worker that never comes", async () => {
    await expect(reload({ reload: '', after: showProc(2, 1, '10 worker 1 0d 2.6') })).rejects.toThrow(
      ReloadError,
    );
    await cli?.stop();
    await expect(reload({ reload: 'Success=0\n--\n[ALERT] no', after: '' })).rejects.toThrow(
      /refused to reload/,
    );
    await cli?.stop();
    await expect(reload({ reload: '', after: showProc(1, 0, '10 worker 0 0d 2.6') })).rejects.toThrow(
      /300 ms/,
    );
  });
});
