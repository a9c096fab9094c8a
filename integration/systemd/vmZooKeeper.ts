import { eventually } from '../harness/eventually.ts';
import type { SystemdVm } from '../harness/systemdVm.ts';

/** Starts a ZooKeeper on 127.0.0.1:2181 in the container, as the unit `zookeeper`. */
export async function startVmZooKeeper(vm: SystemdVm): Promise<void> {
  const configuration = [
    'tickTime=500',
    'dataDir=/var/lib/zookeeper-test',
    'clientPort=2181',
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    '4lw.commands.whitelist=srvr,dump',
  ];
  await vm.write('/etc/zookeeper-test.cfg', `${configuration.join('\n')}\n`);
  const java = ['java', '-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const server = ['-cp', '/usr/share/java/zookeeper.jar', 'org.apache.zookeeper.server.ZooKeeperServerMain'];
  await vm.must('systemd-run', '--unit', 'zookeeper', ...java, ...server, '/etc/zookeeper-test.cfg');
  await eventually(async () => (await fourLetterWord(vm, 'srvr')).includes('Mode: standalone'), {
    what: 'ZooKeeper serves in the container',
    timeoutMs: 30_000,
    intervalMs: 50,
  });
}

/** The answer to one of ZooKeeper's four-letter words, asked inside the container. */
export async function fourLetterWord(vm: SystemdVm, word: string): Promise<string> {
  const talk = `exec 3<>/dev/tcp/127.0.0.1/2181 && printf ${word} >&3 && cat <&3`;
  // Without a deadline a server that is not yet up to answering would hold the test.
  return (await vm.run('timeout', '2', 'bash', '-c', talk)).stdout;
}
