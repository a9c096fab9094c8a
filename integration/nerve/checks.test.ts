import type { ZkPath } from '@smartstack/registry';
import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { children, observe, ready, startNerve } from './bed.ts';
import { app, freshPath, serviceAt, zooKeeperForAll } from './services.ts';

const bed = zooKeeperForAll();
const service = (path: ZkPath, extra: object = {}): object => serviceAt(bed.address, path, extra);

describe('checks against services that misbehave', () => {
  it('kills what an exec check left running, on time-out and on SIGTERM', async () => {
    const path = freshPath();
    const hang = { type: 'exec', command: 'echo $$ > pid; sleep 1000 & wait', timeout: 0.5 };
    const nerve = await startNerve({ main: { services: { web: service(path, { checks: [hang] }) } } });
    const pid = (): number => Number(readFileSync(join(nerve.folder, 'pid'), 'utf8'));
    const gone = (id: number): boolean =>
      !existsSync(`/proc/${id}`) || /^State:\s+[ZX]/m.test(readFileSync(`/proc/${id}/status`, 'utf8'));
    const first = await eventually(() => (existsSync(join(nerve.folder, 'pid')) ? pid() : undefined), {
      what: 'the check runs',
    });
    await eventually(() => gone(first), { what: 'it is killed at its time-out' });
    await eventually(async () => (await nerve.status()).services[0]?.health === 'down', {
      what: 'the service is down',
    });
    const last = await eventually(() => (pid() && !gone(pid()) ? pid() : undefined), {
      what: 'it runs again',
    });
    await nerve.stop('SIGTERM');
    // A killed process needs a moment to be gone.
    await eventually(() => gone(last), { what: 'the last one is killed as well' });
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
