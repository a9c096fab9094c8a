import type { ZkPath } from '@smartstack/registry';
import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { children, type Nerve, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

describe('checks against services that misbehave', () => {
  const gone = (id: number): boolean =>
    !existsSync(`/proc/${id}`) || /^State:\s+[ZX]/m.test(readFileSync(`/proc/${id}/status`, 'utf8'));
  const hang = {
    type: 'exec',
    command: 'sleep 1000 & echo $$ $! > pids.new; mv pids.new pids; wait',
    timeout: 0.5,
  };
  const pids = ({ folder }: Nerve): readonly number[] => {
    const file = join(folder, 'pids');
    return existsSync(file) ? readFileSync(file, 'utf8').split(' ').map(Number) : [];
  };
  const running = (nerve: Nerve): Promise<readonly number[]> =>
    eventually(
      () => {
        const found = pids(nerve);
        return found.length === 2 && !found.some(gone) ? found : undefined;
      },
      { what: 'the check runs' },
    );

  it('kills what an exec check left running, on time-out and on SIGTERM', async () => {
    const nerve = await startNerve({ main: { services: { web: service(freshPath(), { checks: [hang] }) } } });
    const first = await running(nerve);
    await eventually(() => first.every(gone), { what: 'it is killed at its time-out' });
    await eventually(async () => (await nerve.status()).services[0]?.health === 'down', {
      what: 'the service is down',
    });
    await running(nerve);
    await nerve.stop('SIGTERM');
    // Not a moment later: nothing outlives nerve.
    expect(pids(nerve).filter((id) => !gone(id))).toEqual([]);
    expect(await nerve.exited).toBe(0);
  });

  it('kills it when nerve ends by a bug of its own as well', async () => {
    const bug = 'process.on("SIGUSR2", () => { throw new Error("a bug"); })';
    const nerve = await startNerve({
      main: { services: { web: service(freshPath(), { checks: [{ ...hang, timeout: 60 }] }) } },
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` },
    });
    const found = await running(nerve);
    nerve.signal('SIGUSR2');
    expect(await nerve.exited).toBe(1);
    expect(nerve.output).toContain('a bug');
    await eventually(() => found.every(gone), { what: 'what it killed is gone' });
  });

  it('is not held up by services that drip, flood, hang or speak something else', async () => {
    const serve = async (onSocket: Parameters<typeof createTcpServer>[1]): Promise<number> => {
      const server = createTcpServer({}, onSocket);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      return (server.address() as AddressInfo).port;
    };
    const drips = await serve((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nX: ');
      const timer = setInterval(() => socket.write('x'.repeat(100)), 10);
      socket.on('error', () => undefined).once('close', () => clearInterval(timer));
    });
    const floods = await serve((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      const fill = (): void => {
        if (socket.writable && socket.write(Buffer.alloc(1 << 20))) setImmediate(fill);
      };
      socket.on('drain', fill);
      fill();
    });
    const hangs = await serve((socket) => void socket.on('error', () => undefined));
    const talks = await serve(
      (socket) => void socket.on('error', () => undefined).write('220 mail ESMTP\r\n'),
    );
    const web = await app();
    const http = (port: number, extra: object = {}) => ({
      checks: [{ type: 'http', uri: '/', host: '127.0.0.1', port, timeout: 0.3, ...extra }],
    });
    const path = freshPath();
    const nerve = await startNerve({
      main: {
        services: {
          drips: service(path, http(drips)),
          floods: service(path, http(floods, { expect: 'needle' })),
          hangs: service(path, http(hangs)),
          talks: service(path, http(talks)),
          tls: service(path, http(web.port, { ssl: true })),
          web: service(path, http(web.port)),
        },
      },
    });
    await ready(nerve);
    const probes = async (name: string): Promise<number> => {
      const { body } = await nerve.get('/metrics');
      const line = new RegExp(`smartstack_check_result_total\\{service="${name}".*\\} (\\d+)`).exec(body);
      return Number(line?.[1] ?? 0);
    };
    const from = await probes('web');
    await eventually(async () => (await probes('web')) >= from + 10, {
      what: 'ten more rounds',
      timeoutMs: 5_000,
    });
    const health = (await nerve.status()).services.map(({ service: name, health: is }) => [name, is]);
    expect(health).toEqual([
      ['drips', 'down'],
      ['floods', 'down'],
      ['hangs', 'down'],
      ['talks', 'down'],
      ['tls', 'down'],
      ['web', 'up'],
    ]);
    expect(await children(observe(bed.address), path)).toHaveLength(1);
  });
});
