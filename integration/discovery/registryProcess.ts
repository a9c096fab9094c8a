// A registry and instances in a process of their own, on the host that the first argument is the address of: for
// networks that the test itself is not on. Each message is an instance to register or, with a `-` before it, to remove.
import { openSession, type ZkPath } from '@smartstack/registry';
import { eventually } from '../harness/eventually.ts';
import { startHttpUpstream } from '../harness/upstream.ts';
import { startZooKeeper } from '../harness/zookeeper.ts';

const host = process.argv[2] ?? '';
const server = await startZooKeeper({ config: ['clientPortAddress=0.0.0.0'] });
const session = openSession({ hosts: [server.address], sessionTimeoutMs: 10_000 });
await eventually(() => session.state.kind === 'connected', { what: 'the registrar is connected' });
await session.mkdirp('/s/web');
const paths = new Map<string, ZkPath>();

async function obey(message: string): Promise<void> {
  if (message.startsWith('-')) {
    await session.delete(paths.get(message.slice(1))!, -1);
    return;
  }
  const { port } = await startHttpUpstream({ identity: message, host });
  const data = Buffer.from(JSON.stringify({ host, port, name: message }));
  paths.set(message, await session.create(`/s/web/${message}_`, data, 'ephemeral_sequential'));
}

process.on('message', (message: string) => {
  obey(message).then(
    () => process.send?.(message),
    (error: unknown) => process.send?.(String(error)),
  );
});
process.once('disconnect', () => process.exit());
process.send?.(`${host}:${server.port}`);
