import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemdVm, whyNoSystemdVm, type CommandResult } from '../harness/systemdVm.ts';

// In a container, because it is about a machine on which things are missing.
describe.skipIf(whyNoSystemdVm() !== undefined)('scripts/setup.sh', () => {
  let vm: SystemdVm;
  const asNobody = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] as const;
  const setup = (...args: readonly string[]): Promise<CommandResult> =>
    vm.run(...asNobody, 'bash', '/opt/smartstack/scripts/setup.sh', ...args);

  beforeAll(async () => {
    vm = await SystemdVm.start();
  });
  afterAll(() => vm.stop());

  it('says nothing and takes no time when nothing is missing', async () => {
    const started = performance.now();
    expect(await setup('test', '--quiet')).toEqual({ code: 0, stdout: '', stderr: '' });
    // A fraction of a second where nothing else runs; any install takes longer than this.
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('names what it found, when not told to be quiet', async () => {
    const { stdout } = await setup('demo');
    expect(stdout).toMatch(/^set-up: Node\.js \d+\.\d+\.\d+\nset-up: packages for the demo\n/);
  });

  it('without root names the missing packages in one command, and stops', async () => {
    await vm.must('rm', '/usr/sbin/haproxy', '/usr/share/java/zookeeper.jar');
    const { code, stdout, stderr } = await setup('demo', '--quiet');
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(
      '\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends haproxy libzookeeper-java\n',
    );
  });

  it('refuses a Node that is too old, before anything else', async () => {
    await vm.write('/opt/old/node', '#!/bin/sh\necho 18.20.4\n', 0o755);
    const { code, stderr } = await vm.run(
      ...['env', 'PATH=/opt/old:/usr/bin:/bin'],
      ...['bash', '/opt/smartstack/scripts/setup.sh', 'demo'],
    );
    expect(code).toBe(1);
    expect(stderr).toContain('Node.js 20.19 or newer is needed; /opt/old/node is 18.20.4.');
  });

  it('refuses what it does not know', async () => {
    expect((await setup('production')).code).toBe(64);
  });
});
