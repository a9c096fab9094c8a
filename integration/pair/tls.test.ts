import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAgent } from '../harness/agents.ts';
import { type Authority, makeAuthority } from '../harness/certificates.ts';
import type { Child } from '../harness/childProcess.ts';
import { eventually } from '../harness/eventually.ts';
import { get } from '../harness/load.ts';
import { freePort } from '../harness/ports.ts';
import { type SecureZooKeeper, startSecureZooKeeper } from '../harness/secureZooKeeper.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';

let folder: string;
let authority: Authority;
let server: SecureZooKeeper;
beforeAll(async () => {
  folder = makeTempDir('pair-tls');
  authority = makeAuthority(folder, 'ours');
  server = await startSecureZooKeeper(authority, 'need');
});
afterAll(async () => {
  await server.dispose();
  removeTempDir(folder);
});

const agents: Child[] = [];
afterEach(() => Promise.all(agents.splice(0).map((agent) => agent.stop('SIGKILL'))));

function start(name: 'nerve' | 'synapse', file: string): Child {
  const agent = startAgent(name, ['-c', file]);
  agents.push(agent);
  return agent;
}

const json = (name: string, content: object): string => {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
};

/** Synapse without a HAProxy: what matters here is what it knows. */
async function startSynapse(tls: object): Promise<{ agent: Child; port: number }> {
  const port = await freePort();
  json('agent.yaml', {
    admin: { listen: `127.0.0.1:${port}` },
    log: { format: 'json' },
    zookeeper: { tls, session_timeout: 30 },
  });
  const file = json('synapse.yaml', {
    haproxy: { do_socket: false, do_reloads: false, config_file_path: join(folder, 'haproxy.cfg') },
    services: {
      web: {
        discovery: { method: 'zookeeper', hosts: [server.secureAddress], path: '/services/web' },
        haproxy: { port: 3213 },
      },
    },
  });
  return { agent: start('synapse', file), port };
}

async function hosts(port: number): Promise<string[]> {
  const { body } = await get({ port, path: '/status' });
  const { services } = JSON.parse(body) as { services: { instances: { host: string }[] }[] };
  return services.flatMap(({ instances }) => instances.map(({ host }) => host));
}

describe('nerve and synapse over TLS with client certificates', () => {
  it('meet, and follow the rotation of a certificate without losing a registration', async () => {
    const { certFile, keyFile } = authority.issue('agent');
    const tls = { ca_file: authority.caFile, cert_file: certFile, key_file: keyFile };
    const nervePort = await freePort();
    const nerve = start(
      'nerve',
      json('nerve.yaml', {
        instance_id: 'i-1',
        admin: { listen: `127.0.0.1:${nervePort}` },
        services: {
          web: {
            ...{ host: '10.0.0.5', port: 80, zk_hosts: [server.secureAddress] },
            ...{ zk_path: '/services/web', zk_tls: tls },
          },
        },
      }),
    );
    const { agent, port } = await startSynapse(tls);
    const meet = (what: string) =>
      eventually(async () => (await hosts(port)).join() === '10.0.0.5', { what, timeoutMs: 30_000 });
    await meet('synapse knows the instance');
    const place = async (): Promise<unknown> => {
      const { body } = await get({ port: nervePort, path: '/status' });
      return (JSON.parse(body) as { services: { registration: unknown }[] }).services[0]?.registration;
    };
    const before = await place();
    const next = authority.issue('agent');
    copyFileSync(next.certFile, certFile);
    copyFileSync(next.keyFile, keyFile);
    await server.kill();
    const isSession = async (kind: string): Promise<boolean> => {
      const { body } = await get({ port, path: '/status' });
      return (JSON.parse(body) as { zookeeper: { kind: string }[] }).zookeeper.every(
        (one) => one.kind === kind,
      );
    };
    await eventually(() => isSession('suspended'), { what: 'synapse is cut off', timeoutMs: 20_000 });
    await server.start();
    await eventually(() => isSession('connected'), { what: 'it is connected again', timeoutMs: 30_000 });
    await eventually(async () => (await get({ port: nervePort, path: '/readyz' })).status === 200, {
      what: 'nerve is connected again',
      timeoutMs: 30_000,
    });
    await meet('the instance is still there');
    expect(await place()).toEqual(before);
    expect(nerve.running && agent.running).toBe(true);
  });

  it('synapse refuses to start with files that it cannot use, and names the place', async () => {
    const { agent } = await startSynapse({ ca_file: join(folder, 'no-such.pem') });
    expect(await agent.exited).toBe(78);
    expect(agent.output).toMatch(/agent\.yaml:1:\d+ zookeeper\.tls: ENOENT.*no-such\.pem/);
  });
});
