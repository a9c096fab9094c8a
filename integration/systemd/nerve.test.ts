import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { SystemdVm, whyNoSystemdVm } from '../harness/systemdVm.ts';
import { install } from './install.ts';
import { fourLetterWord, startVmZooKeeper } from './vmZooKeeper.ts';

describe.skipIf(whyNoSystemdVm() !== undefined)('nerve.service in a real systemd', () => {
  let vm: SystemdVm;

  /** Paths of the ephemeral nodes that ZooKeeper holds. */
  const registrations = async (): Promise<readonly string[]> =>
    (await fourLetterWord(vm, 'dump'))
      .split('\n')
      .filter((line) => line.startsWith('\t/'))
      .map((line) => line.trim())
      .sort();
  const mainPid = (): Promise<string> => vm.property('nerve', 'MainPID');
  const dropIn = async (lines: readonly string[]): Promise<void> => {
    await vm.write('/etc/systemd/system/nerve.service.d/test.conf', `[Service]\n${lines.join('\n')}\n`);
    await vm.must('systemctl', 'daemon-reload');
  };

  const becomes = (text: string): Promise<boolean> =>
    eventually(async () => (await vm.property('nerve', 'StatusText')) === text, {
      what: text,
      intervalMs: 50,
    });

  beforeAll(async () => {
    vm = await SystemdVm.start();
    await startVmZooKeeper(vm);
    await install(vm);
  });
  afterAll(() => vm.stop());

  it('is started when it has registered what is healthy', async () => {
    // `systemctl enable --now` returned: READY=1 came after the first round of checks and reports.
    expect(await vm.property('nerve', 'ActiveState')).toBe('active');
    expect(await registrations()).toEqual(['/services/hello/vm1_0000000000']);
    expect(await vm.property('nerve', 'StatusText')).toBe('1 of 1 services up, 1 registered');
  });

  it('runs as its own user, without privileges', async () => {
    const status = await vm.must('cat', `/proc/${await mainPid()}/status`);
    const uid = await vm.must('id', '-u', 'nerve');
    expect(status).toContain(`Uid:\t${uid}\t${uid}\t${uid}\t${uid}`);
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });

  it('takes a new instance at systemctl reload, and stays the same process', async () => {
    const before = await mainPid();
    const second = (await vm.must('cat', '/etc/nerve/services.d/hello.yaml')).replace(
      'services/hello',
      'services/second',
    );
    await vm.write('/etc/nerve/services.d/second.yaml', second);
    await vm.must('systemctl', 'reload', 'nerve');
    await eventually(async () => (await registrations()).includes('/services/second/vm1_0000000000'), {
      what: 'the second service is registered',
      intervalMs: 50,
    });
    expect(await mainPid()).toBe(before);
    expect(await registrations()).toContain('/services/hello/vm1_0000000000');
  });

  it('registers an instance while its unit is active', async () => {
    const registered = async (): Promise<boolean> =>
      (await registrations()).some((path) => path.startsWith('/services/worker/'));
    const turns = (wanted: boolean, what: string): Promise<boolean> =>
      eventually(async () => (await registered()) === wanted, { what, timeoutMs: 15_000, intervalMs: 50 });
    const unit = '[Service]\nExecStart=/bin/sleep infinity\n';
    await vm.write('/etc/systemd/system/worker.service', unit);
    await vm.must('systemctl', 'daemon-reload');
    await vm.must('systemctl', 'start', 'worker');
    const hello = await vm.must('cat', '/etc/nerve/services.d/hello.yaml');
    const [head = ''] = hello.replace('services/hello', 'services/worker').split('\nchecks:');
    await vm.write(
      '/etc/nerve/services.d/worker.yaml',
      `${head}\nchecks: [{ type: systemd, unit: worker.service, timeout: 5 }]\n`,
    );
    await turns(true, 'it is registered');
    await vm.must('systemctl', 'stop', 'worker');
    await turns(false, 'it is withdrawn');
    await vm.must('systemctl', 'start', 'worker');
    await turns(true, 'it is registered again');
    await vm.must('rm', '/etc/nerve/services.d/worker.yaml');
    await turns(false, 'it is forgotten');
  });

  it('survives a configuration with errors at reload', async () => {
    await vm.write('/etc/nerve/services.d/second.yaml', 'host: [');
    await vm.must('systemctl', 'reload', 'nerve');
    await eventually(async () => (await vm.property('nerve', 'StatusText')).includes('errors'), {
      what: 'the status tells of the errors',
      intervalMs: 50,
    });
    expect(await registrations()).toContain('/services/second/vm1_0000000000');
    await vm.must('rm', '/etc/nerve/services.d/second.yaml');
    await eventually(async () => (await registrations()).length === 1, {
      what: 'it is withdrawn',
      intervalMs: 50,
    });
  });

  it('is killed by the watchdog when a module spins, started again, and each healthy service registered once', async () => {
    await dropIn(['WatchdogSec=2']);
    const hello = await vm.must('cat', '/etc/nerve/services.d/hello.yaml');
    const [head = ''] = hello.split('\nchecks:');
    const service = async (name: string, check: string): Promise<void> =>
      await vm.write(
        `/etc/nerve/services.d/${name}.yaml`,
        `${head.replace('services/hello', `services/${name}`)}\nchecks: [${check}]\n`,
      );
    // Spins once, when it is told to: nothing in the process gets a turn any more.
    const spinning = `import { existsSync, unlinkSync } from 'node:fs';
const order = '/var/lib/nerve/spin';
const probe = () => {
  if (existsSync(order)) {
    unlinkSync(order);
    for (;;);
  }
  return { ok: true };
};
export default ({ defineCheck }) =>
  defineCheck({ type: 'spin', options: {}, create: () => ({ name: 'spin', deadlineMs: 500, probe }) });
`;
    await vm.write('/etc/nerve/checks/spin.mjs', spinning);
    await service('spin', '{ type: spin, module: ../checks/spin.mjs }');
    await service('sick', '{ type: tcp, port: 9 }');
    await vm.must('systemctl', 'restart', 'nerve');
    await becomes('2 of 3 services up, 2 registered');
    const hung = await mainPid();
    await vm.must('touch', '/var/lib/nerve/spin');
    await eventually(async () => Number(await vm.property('nerve', 'NRestarts')) === 1, {
      what: 'systemd restarts it',
      timeoutMs: 20_000,
      intervalMs: 100,
    });
    await becomes('2 of 3 services up, 2 registered');
    // It may be reading its files once more, as it does when it begins to watch them.
    await eventually(async () => (await vm.property('nerve', 'ActiveState')) === 'active', {
      what: 'the unit is active',
      intervalMs: 50,
    });
    expect(await mainPid()).not.toBe(hung);
    expect(await vm.must('journalctl', '-u', 'nerve', '--no-pager')).toContain('Watchdog timeout');
    // The session of the one that hung lives on until its timeout; then one node of each is left.
    const services = async (): Promise<string> =>
      (await registrations()).map((path) => path.replace(/\/vm1_\d+$/, '')).join(' ');
    await eventually(async () => (await services()) === '/services/hello /services/spin', {
      what: 'one registration each',
      timeoutMs: 45_000,
      intervalMs: 200,
    });
    expect(await vm.property('nerve', 'NRestarts')).toBe('1');
    for (const name of ['spin', 'sick']) await vm.must('rm', `/etc/nerve/services.d/${name}.yaml`);
    await becomes('1 of 1 services up, 1 registered');
    await dropIn([]);
  }, 90_000);

  it('withdraws when it is stopped, at once', async () => {
    await vm.must('systemctl', 'restart', 'nerve');
    expect(await registrations()).not.toEqual([]);
    const started = performance.now();
    await vm.must('systemctl', 'stop', 'nerve');
    expect(await registrations()).toEqual([]);
    // The unit lets it take 30 s.
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(await vm.property('nerve', 'Result')).toBe('success');
  });

  it('keeps a drain over a restart, until its file is removed', async () => {
    await vm.must('systemctl', 'start', 'nerve');
    await vm.must('touch', '/var/lib/nerve/orders/hello.json');
    await becomes('1 of 1 services up, 0 registered; 1 drained');
    await vm.must('systemctl', 'restart', 'nerve');
    await becomes('1 of 1 services up, 0 registered; 1 drained');
    expect(await registrations()).toEqual([]);
    await vm.must('rm', '/var/lib/nerve/orders/hello.json');
    await becomes('1 of 1 services up, 1 registered');
  });

  it('gives its socket to another group of its user, as the unit allows', async () => {
    await vm.must('groupadd', '--system', 'operators');
    await dropIn(['SupplementaryGroups=operators']);
    const settings = 'admin: { listen: /run/nerve/nerve.sock, group: operators, mode: "0620" }';
    await vm.must('sh', '-c', `echo '${settings}' >>/etc/nerve/nerve.yaml`);
    await vm.must('systemctl', 'restart', 'nerve');
    expect(await vm.must('stat', '-c', '%U %G %a', '/run/nerve/nerve.sock')).toBe('nerve operators 620');
    expect(await vm.must('nerve', 'status')).toContain('hello');
    // Not a member: the rest of it works all the same, and the log tells the way out.
    await dropIn([]);
    await vm.must('systemctl', 'restart', 'nerve');
    await becomes('1 of 1 services up, 1 registered');
    expect(await vm.must('journalctl', '-u', 'nerve', '--no-pager')).toContain(
      "the agent's user must be a member (admin.group)",
    );
    await vm.must('sed', '-i', '/^admin:/d', '/etc/nerve/nerve.yaml');
  });

  it('waits for callers when it is stopped, longer than TimeoutStopSec if need be', async () => {
    await dropIn(['TimeoutStopSec=2']);
    await vm.must('sh', '-c', 'echo "drain_on_stop: true" >>/etc/nerve/nerve.yaml');
    await vm.must('sh', '-c', 'echo "drain: { min_time: 4 }" >>/etc/nerve/services.d/hello.yaml');
    await vm.must('systemctl', 'restart', 'nerve');
    const started = performance.now();
    await vm.must('systemctl', 'stop', '--no-block', 'nerve');
    await eventually(async () => (await registrations()).length === 0, { what: 'it is withdrawn' });
    await eventually(async () => (await vm.property('nerve', 'ActiveState')) === 'inactive', {
      what: 'it has ended',
      timeoutMs: 20_000,
      intervalMs: 50,
    });
    expect(performance.now() - started).toBeGreaterThan(3_500);
    expect(await vm.property('nerve', 'Result')).toBe('success');
    await dropIn([]);
  });

  it('is not started over and over with a configuration that it cannot use', async () => {
    await vm.write('/etc/nerve/nerve.yaml', 'instance_id: vm1\nservices: { a: { port: 70000 } }\n');
    expect((await vm.run('systemctl', 'start', 'nerve')).code).not.toBe(0);
    expect(await vm.property('nerve', 'ExecMainStatus')).toBe('78');
    expect(await vm.property('nerve', 'NRestarts')).toBe('0');
    expect(await vm.property('nerve', 'ActiveState')).toBe('failed');
    expect(await vm.must('journalctl', '-u', 'nerve', '--no-pager')).toContain('nerve.yaml:2:');
  });
});
