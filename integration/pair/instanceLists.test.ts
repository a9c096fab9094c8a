import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import { cleanUpAfterEach } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import { observe } from '../nerve/bed.ts';
import { newUser, newZooKeeper, pathOf, startHost } from './bed.ts';

cleanUpAfterEach();

interface Lists {
  readonly service: string;
  readonly source: string;
  readonly instances: readonly { readonly name?: string }[];
  readonly problems: readonly { readonly path: string }[];
}

it('nerve and synapse list the same instances, live and stale, and the same registrations that make no sense', async () => {
  const server = await newZooKeeper(20_000);
  await server.start();
  const host = await startHost(server.address, 'host-1');
  await host.offer('web', 'a', { weight: 7, labels: { az: 'eu-1' }, haproxy_server_options: 'maxconn 9' });
  await host.offer('web', 'b');
  const vm = await newUser(server.address);
  const session = observe(server.address);
  const add = (name: string, data: string) =>
    session.create(`${pathOf('web')}/${name}`, Buffer.from(data), 'persistent');
  await eventually(() => session.exists(pathOf('web')), { what: 'the path is there' });
  await add(
    'ruby_0000000099',
    '{"host":"10.9.9.9","port":81,"name":"ruby","weight":null,"labels":{"x":[1]}}',
  );
  await add('bad_0000000100', '{"host":');
  await add('worse', '{"host":"h","port":0}');
  await vm.start();

  // The one calls the service by its instance here, the other as its users do.
  const parsed = ({ body }: { readonly body: string }): Lists => ({
    ...(JSON.parse(body) as Lists),
    service: 'web',
  });
  const same = (source: string): Promise<Lists> =>
    eventually(
      async () => {
        const ofNerve = parsed(await host.nerve.get('/v1/instances/web-a'));
        expect(ofNerve).toEqual(parsed(await vm.admin('/v1/instances/web')));
        return ofNerve.source === source && ofNerve.instances.length === 3 ? ofNerve : undefined;
      },
      { what: `the same lists, ${source}`, timeoutMs: 20_000, intervalMs: 50 },
    );
  const live = await same('live');
  expect(live.instances.map(({ name }) => name)).toEqual(['ruby', 'host-1', 'host-1']);
  expect(live.problems).toHaveLength(2);
  await server.kill();
  const stale = await same('stale');
  expect(isDeepStrictEqual({ ...stale, source: 'live' }, live)).toBe(true);
});
