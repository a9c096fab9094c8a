import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { SystemdVm, whyNoSystemdVm } from '../harness/systemdVm.ts';
import { install } from './install.ts';
import { startVmZooKeeper } from './vmZooKeeper.ts';

// Asks the service ten times a second, a connection each, until the file /run/stop is there; one line per answer.
const user = `while [ ! -e /run/stop ]; do curl -s -o /dev/null -m 5 -w '%{http_code}\\n' http://127.0.0.1:3213/; sleep 0.1; done >>/run/answers`;

/** A program for `node -e`: answers every request on a port. */
const server = (port: number): string =>
  `require('http').createServer((q, s) => s.end('hello\\n')).listen(${port})`;

describe.skipIf(whyNoSystemdVm() !== undefined)('synapse.service and its HAProxy in a real systemd', () => {
  let vm: SystemdVm;
  const pid = (unit: string): Promise<string> => vm.property(unit, 'MainPID');
  const isActive = (unit: string) => async (): Promise<boolean> =>
    (await vm.property(unit, 'ActiveState')) === 'active';
  const answers = async (): Promise<readonly string[]> => (await vm.must('cat', '/run/answers')).split('\n');
  /** Waits until the user of the service has asked `count` times more. */
  const asked = async (count: number): Promise<void> => {
    const before = (await answers()).length;
    await eventually(async () => (await answers()).length >= before + count, {
      what: `${count} more requests`,
      timeoutMs: 30_000,
      intervalMs: 50,
    });
  };

  beforeAll(async () => {
    vm = await SystemdVm.start();
    await startVmZooKeeper(vm);
    await install(vm);
    await eventually(
      async () => (await vm.run('curl', '-sf', 'http://127.0.0.1:3213/')).stdout === 'hello\n',
      {
        what: 'the service answers on localhost',
        timeoutMs: 10_000,
        intervalMs: 50,
      },
    );
  });
  afterAll(() => vm.stop());

  it('is ready, and says what it does', async () => {
    await eventually(async () => (await vm.property('synapse', 'StatusText')) === '1 service, 1 instance', {
      what: 'the status counts what it knows',
      intervalMs: 50,
    });
  });

  it('runs HAProxy as a user that cannot change what it reads', async () => {
    const status = await vm.must('cat', `/proc/${await pid('synapse-haproxy')}/status`);
    expect(status).toContain(`Uid:\t${await vm.must('id', '-u', 'synapse-haproxy')}\t`);
    const asHaproxy = [
      'setpriv',
      '--reuid=synapse-haproxy',
      '--regid=synapse',
      '--init-groups',
      'sh',
      '-c',
    ] as const;
    expect((await vm.run(...asHaproxy, 'cat /var/lib/synapse/haproxy.cfg >/dev/null')).code).toBe(0);
    expect((await vm.run(...asHaproxy, ': >>/var/lib/synapse/haproxy.cfg')).code).not.toBe(0);
  });

  it('follows changes through a HAProxy that was started afresh', async () => {
    await vm.must('systemctl', 'restart', 'synapse-haproxy');
    await vm.must('systemd-run', '--unit', 'hello2', 'node', '-e', server(8081));
    const second = (await vm.must('cat', '/etc/nerve/services.d/hello.yaml')).replace('8080', '8081');
    await vm.write('/etc/nerve/services.d/hello2.yaml', second);
    const servers = (): Promise<string> => vm.must('curl', '-sf', 'http://127.0.0.1:3212/;csv');
    await eventually(async () => /^hello,vm1_127\.0\.0\.1:8081,.*,UP[ ,]/m.test(await servers()), {
      what: 'the second instance is in rotation',
      timeoutMs: 15_000,
      intervalMs: 50,
    });
    await eventually(async () => (await vm.property('synapse', 'StatusText')) === '1 service, 2 instances', {
      what: 'the status counts it',
      intervalMs: 50,
    });
    await vm.must('rm', '/etc/nerve/services.d/hello2.yaml');
    await eventually(async () => !/^hello,vm1_127\.0\.0\.1:8081,/m.test(await servers()), {
      what: 'it is gone again',
      timeoutMs: 15_000,
      intervalMs: 50,
    });
  });

  describe('with a user of the service who asks all the time', () => {
    beforeAll(async () => {
      await vm.must('systemd-run', '--unit', 'user', 'bash', '-c', user);
      await eventually(async () => (await vm.run('test', '-s', '/run/answers')).code === 0, {
        what: 'requests',
      });
    });

    it.each(['restart', 'reload', 'kill --signal=KILL'])(
      'at systemctl %s it leaves HAProxy running and every request answered',
      async (command) => {
        const master = await pid('synapse-haproxy');
        await vm.must('systemctl', ...command.split(' '), 'synapse');
        await asked(10);
        await eventually(isActive('synapse'), {
          what: 'synapse is active',
          timeoutMs: 15_000,
          intervalMs: 50,
        });
        expect(await pid('synapse-haproxy')).toBe(master);
      },
    );

    it('is killed by the watchdog when it hangs, and started again', async () => {
      const dropIn = '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n';
      await vm.write('/etc/systemd/system/synapse.service.d/test.conf', dropIn);
      await vm.must('systemctl', 'daemon-reload');
      await vm.must('systemctl', 'restart', 'synapse');
      const hung = await pid('synapse');
      const restarts = Number(await vm.property('synapse', 'NRestarts'));
      await vm.must('kill', '-STOP', hung);
      await eventually(async () => Number(await vm.property('synapse', 'NRestarts')) > restarts, {
        what: 'systemd restarts it',
        timeoutMs: 20_000,
        intervalMs: 100,
      });
      await eventually(isActive('synapse'), { what: 'synapse is active', timeoutMs: 15_000, intervalMs: 50 });
      expect(await pid('synapse')).not.toBe(hung);
      expect(await vm.must('journalctl', '-u', 'synapse', '--no-pager')).toContain('Watchdog timeout');
    });

    it("takes an operator's systemctl reload of HAProxy: a new worker, the same master", async () => {
      const master = await pid('synapse-haproxy');
      const workers = (): Promise<string> => vm.must('pgrep', '-P', master);
      const before = await workers();
      await vm.must('systemctl', 'reload', 'synapse-haproxy');
      await eventually(async () => !(await workers()).split('\n').includes(before), {
        what: 'the old worker is gone',
        timeoutMs: 15_000,
        intervalMs: 50,
      });
      expect(await pid('synapse-haproxy')).toBe(master);
    });

    it('stopped, with ZooKeeper and nerve, it leaves HAProxy serving', async () => {
      await vm.must('systemctl', 'kill', '--signal=KILL', 'nerve', 'zookeeper');
      await vm.must('systemctl', 'stop', 'synapse', 'nerve');
      await asked(10);
      expect(await vm.property('synapse', 'Result')).toBe('success');
    });

    it('needs neither of them for HAProxy to come up after a boot', async () => {
      await vm.must('touch', '/run/stop');
      await eventually(async () => !(await isActive('user')()), { what: 'the user has stopped asking' });
      expect([...new Set(await answers())]).toEqual(['200']);
      await vm.must('systemctl', 'restart', 'synapse-haproxy');
      expect(await vm.must('curl', '-sf', 'http://127.0.0.1:3213/')).toBe('hello');
    });
  });

  it('begins on a machine where synapse never ran with a page that says so', async () => {
    await vm.must('systemctl', 'stop', 'synapse-haproxy');
    await vm.must('bash', '-c', 'rm -rf /var/lib/synapse && systemd-tmpfiles --create synapse.conf');
    await vm.must('systemctl', 'start', 'synapse-haproxy');
    expect((await vm.run('curl', '-s', 'http://127.0.0.1:3212/')).stdout).toContain('has not written');
  });
});
