import type { ChildrenSnapshot } from '@smartstack/registry';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { startZooKeeper, type ZooKeeperServer } from '../harness/zookeeper.ts';
import { closeSessionsAfterEach, epochOf, instance, testSession } from './bed.ts';

let server: ZooKeeperServer;
beforeAll(async () => {
  server = await startZooKeeper();
});
afterAll(() => server.dispose());
closeSessionsAfterEach();

it('connects, registers, watches, withdraws', async () => {
  const nerve = testSession(server.address).session;
  const synapse = testSession(server.address).session;
  const seen: ChildrenSnapshot[] = [];
  const watch = synapse.watchChildren('/happy/services', { onSnapshot: (snapshot) => seen.push(snapshot) });
  await eventually(() => seen.length === 1, { what: 'the first snapshot' });
  expect(seen[0]).toMatchObject({ exists: false });
  expect(watch.freshness).toBe('live');

  const registration = nerve.register({ parent: '/happy/services', mode: 'ephemeral_sequential' });
  registration.want({ name: 'i-1_', data: instance('10.0.0.1', 80) });
  await registration.settled(AbortSignal.timeout(5_000));
  expect(registration.state).toMatchObject({ kind: 'present', path: '/happy/services/i-1_0000000000' });
  await eventually(() => watch.last?.children.size === 1, { what: 'the child is seen' });
  expect(watch.last?.children.get('i-1_0000000000')).toMatchObject({
    kind: 'data',
    data: instance('10.0.0.1', 80),
  });

  registration.want({ name: 'i-1_', data: instance('10.0.0.1', 80, { weight: 5 }) });
  await registration.settled(AbortSignal.timeout(5_000));
  await eventually(
    () => {
      const child = watch.last?.children.get('i-1_0000000000');
      return child?.kind === 'data' && child.data.equals(instance('10.0.0.1', 80, { weight: 5 }));
    },
    { what: 'the new weight is seen, in place' },
  );

  registration.want(undefined);
  await registration.settled(AbortSignal.timeout(5_000));
  expect(registration.state).toEqual({ kind: 'absent' });
  await eventually(() => watch.last?.exists === true && watch.last.children.size === 0, {
    what: 'the child is gone',
  });
  expect(epochOf(nerve)).toBe(1);
});
