import { Resolver } from 'node:dns/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, startProcess } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { freePort } from './ports.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

/** One dnsmasq that is the authority for `svc.test`, and refuses everything else. */
export interface Dnsmasq {
  /** address:port. */
  readonly address: string;
  /** Makes these the addresses of names; the server takes them while it runs. */
  hosts(hosts: Readonly<Record<string, readonly string[]>>): void;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Stops it in its tracks: it takes questions, and answers none. */
  signal(signal: NodeJS.Signals): void;
  dispose(): Promise<void>;
}

/** Starts a server with SRV records, each as `_web._tcp.svc.test,a.svc.test,8080,1,10`. */
export async function startDnsmasq(srv: readonly string[] = []): Promise<Dnsmasq> {
  const port = await freePort();
  const folder = makeTempDir('dnsmasq');
  const hostsFile = join(folder, 'hosts');
  const args = [
    ...['-k', '-p', String(port), '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv'],
    ...['--no-hosts', '--conf-file=/dev/null', '--user=root', '--pid-file=', '--local=/svc.test/'],
    ...['--local-ttl=1', `--addn-hosts=${hostsFile}`, '--host-record=up.svc.test,127.0.0.1'],
    ...srv.map((record) => `--srv-host=${record}`),
  ];
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  let child: Child | undefined;
  const server: Dnsmasq = {
    address: `127.0.0.1:${port}`,
    hosts: (hosts) => {
      const lines = Object.entries(hosts).flatMap(([name, all]) => all.map((one) => `${one} ${name}`));
      writeFileSync(hostsFile, `${lines.join('\n')}\n`);
      child?.signal('SIGHUP');
    },
    start: async () => {
      const started = startProcess('dnsmasq', args);
      child = started;
      await eventually(
        () => {
          if (!started.running) throw new Error(`dnsmasq exited: ${started.output}`);
          return resolver.resolve4('up.svc.test');
        },
        { what: 'dnsmasq serves', timeoutMs: 10_000 },
      );
    },
    kill: async () => child?.stop('SIGKILL'),
    signal: (signal) => child?.signal(signal),
    dispose: async () => {
      await child?.stop('SIGKILL');
      removeTempDir(folder);
    },
  };
  server.hosts({});
  await server.start();
  return server;
}
