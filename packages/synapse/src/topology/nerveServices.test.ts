import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeClock } from '@smartstack/agent/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { NerveServices } from './nerveServices.js';

let server: Server | undefined;
afterEach(() => void server?.close());

async function serve(answer: () => unknown): Promise<{ readonly host: string; readonly port: number }> {
  server = createServer((_, response) => response.end(JSON.stringify(answer())));
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}
const service = (name: string, port: number) => ({ service: name, instance: { host: 'h', port }, more: 1 });

describe("nerve's services", () => {
  it('are asked for once a minute, and stay for a while when nerve is silent', async () => {
    let [asked, names] = [0, ['web']];
    const clock = new FakeClock();
    const at = await serve(() => {
      asked += 1;
      return { services: names.map((name) => service(name, 80)) };
    });
    const nerve = new NerveServices([{ socket: '/nonexistent' }, at], clock);
    expect(await nerve.current()).toEqual([{ name: 'web', port: 80 }]);
    names = ['api'];
    expect(await nerve.current()).toEqual([{ name: 'web', port: 80 }]);
    expect(asked).toBe(1);
    await clock.advance(60_000);
    expect(await nerve.current()).toEqual([{ name: 'api', port: 80 }]);
    server?.close();
    await clock.advance(60_000);
    expect(await nerve.current()).toEqual([{ name: 'api', port: 80 }]);
    await clock.advance(900_000);
    expect(await nerve.current()).toEqual([]);
  });

  it('are none where nobody listens, where somebody else does, and where nobody is asked', async () => {
    const clock = new FakeClock();
    expect(await new NerveServices([{ socket: '/nonexistent' }], clock).current()).toEqual([]);
    const at = await serve(() => ({ services: [{ service: 1 }] }));
    expect(await new NerveServices([at], clock).current()).toEqual([]);
    expect(await new NerveServices([], clock).current()).toEqual([]);
  });
});
