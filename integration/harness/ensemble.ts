import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { prepareZooKeeper, type ZooKeeperServer } from './zookeeper.ts';

/** Several servers that form one ZooKeeper. */
export interface ZooKeeperEnsemble {
  readonly members: readonly ZooKeeperServer[];
  readonly addresses: readonly string[];
  /** The member that leads now; waits for an election that is under way. */
  leader(): Promise<ZooKeeperServer>;
  dispose(): Promise<void>;
}

/** Starts an ensemble (three members unless told) on fresh folders and waits until every member serves. */
export async function startEnsemble(size = 3): Promise<ZooKeeperEnsemble> {
  const lines: string[] = [];
  for (let member = 1; member <= size; member += 1) {
    lines.push(`server.${member}=127.0.0.1:${await freePort()}:${await freePort()}:participant`);
  }
  const members: ZooKeeperServer[] = [];
  for (let member = 1; member <= size; member += 1) {
    members.push(await prepareZooKeeper({ member, config: lines }));
  }
  for (const server of members) server.launch();
  await Promise.all(members.map((server) => server.ready()));
  return {
    members,
    addresses: members.map((server) => server.address),
    leader: () =>
      eventually(
        async () => {
          for (const server of members) {
            const answer = await server.fourLetterWord('srvr').catch(() => '');
            if (/^Mode: leader/m.test(answer)) return server;
          }
          return undefined;
        },
        { what: 'the ensemble has a leader', timeoutMs: 20_000, intervalMs: 20 },
      ),
    dispose: async () => {
      await Promise.all(members.map((server) => server.dispose()));
    },
  };
}
