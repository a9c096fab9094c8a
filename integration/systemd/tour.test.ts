import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { SystemdVm, whyNoSystemdVm } from '../harness/systemdVm.ts';
import { removal, tourStep } from './install.ts';
import { startVmZooKeeper } from './vmZooKeeper.ts';

describe.skipIf(whyNoSystemdVm() !== undefined)("the README's tour of a VM, command by command", () => {
  let vm: SystemdVm;
  beforeAll(async () => {
    vm = await SystemdVm.start();
    await startVmZooKeeper(vm);
  });
  afterAll(() => vm.stop());

  it('installs', async () => {
    await vm.must('bash', '-c', await tourStep('install'));
  });

  it('configures, and both agents accept it', async () => {
    const said = await vm.must('bash', '-c', await tourStep('configure'));
    // Nobody has registered yet.
    expect(said).toMatch(
      /^‼ the services' paths exist[^]*Status check results are √: \d+ passed, 1 warning/m,
    );
  });

  it('runs: the commands return when the units are active', async () => {
    await vm.must('bash', '-c', await tourStep('run'));
    expect(await vm.must('systemctl', 'is-active', 'nerve', 'synapse', 'synapse-haproxy')).toBe(
      'active\nactive\nactive',
    );
  });

  it('looks: the service answers on localhost, and every view knows it', async () => {
    await eventually(async () => (await vm.must('curl', '-sf', 'http://127.0.0.1:3213/')) === 'hello', {
      what: 'the service answers on localhost',
      timeoutMs: 10_000,
      intervalMs: 50,
    });
    const seen = await vm.must('bash', '-c', await tourStep('look'));
    expect(seen).toMatch(/^hello$/m);
    expect(seen).toMatch(/^Status check results are √: \d+ passed/m);
    expect(seen).toMatch(/^hello +up +\S+ +present/m);
    expect(seen).toMatch(/^hello,vm1_127\.0\.0\.1:8080,.*,UP[ ,]/m);
  });

  it('would have been written by nerve init, from what listens', async () => {
    await vm.must('nerve', 'init', '--output', '/root/first.yaml');
    const written = await vm.must('cat', '/root/first.yaml');
    expect(written).toMatch(/^ {2}hello: # named after its unit\n +host: \S+.*\n +port: 8080$/m);
    expect(written).toMatch(/^# - \S+:2181.*: ZooKeeper/m);
    expect(written).toMatch(/^# - 127\.0\.0\.1:3454, .*: nerve itself$/m);
    expect(written).toMatch(/^# - 127\.0\.0\.1:3213, .*\bsynapse-haproxy\.service\)/m);
    expect(await vm.must('nerve', '-k', '-c', '/root/first.yaml')).toContain('is valid, with 1 services');
  });

  it('changes: reload and restart leave the service reachable', async () => {
    const said = await vm.must('bash', '-c', await tourStep('change'));
    expect(said).toMatch(/^drained: hello\n[^]*undrained: hello\n[^]*hello$/);
  });

  it('removes every trace, as the operations guide says', async () => {
    await vm.must('bash', '-c', await removal());
    const left = await vm.must(
      'bash',
      '-c',
      `ls -d /etc/nerve /etc/synapse /usr/bin/nerve /usr/bin/synapse /run/nerve /run/synapse \
        /var/lib/nerve /var/lib/synapse /usr/share/synapse /usr/lib/*/smartstack.conf /usr/lib/*/synapse.conf /etc/systemd/system/*{nerve,synapse}* 2>/dev/null
       getent passwd nerve synapse synapse-haproxy; getent group nerve synapse
       systemctl list-units --all --no-legend 'nerve*' 'synapse*'; pgrep haproxy; true`,
    );
    expect(left).toBe('');
  });
});
