import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from './clock.js';
import { StatsdSender } from './statsd.js';
import { RecordingLogger } from './testing/recordingLogger.js';

async function setUp() {
  const socket = createSocket('udp4');
  const packets: string[] = [];
  socket.on('message', (packet) => void packets.push(packet.toString()));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  const logger = new RecordingLogger();
  const sender = new StatsdSender({ clock: systemClock, logger });
  const received = async (count: number): Promise<readonly string[]> => {
    while (packets.join('\n').split('\n').filter(Boolean).length < count) await once(socket, 'message');
    return packets.join('\n').split('\n').filter(Boolean);
  };
  return { port: socket.address().port, packets, logger, sender, received };
}

describe('StatsdSender', () => {
  it('sends counters, gauges and timings in few packets, all of them before it is closed', async () => {
    const { port, packets, sender, received } = await setUp();
    sender.configure({ host: '127.0.0.1', port });
    sender.increment('a.b', ['x:1', 'y:a:b']);
    sender.gauge('g', 2.5);
    sender.timing('t', 12.7, ['x:1']);
    await sender.close();
    expect(await received(3)).toEqual(['a.b:1|c|#x:1,y:a:b', 'g:2.5|g', 't:13|ms|#x:1']);
    expect(packets).toHaveLength(1);
  });

  it('adds nothing of its own, whatever the environment says, and lets no tag end a line', async () => {
    const { port, sender, received } = await setUp();
    process.env.DD_ENV = 'production';
    onTestFinished(() => {
      delete process.env.DD_ENV;
    });
    sender.configure({ host: 'localhost', port });
    sender.increment('a', ['m:one\ntwo|c,three']);
    await sender.close();
    expect(await received(1)).toEqual(['a:1|c|#m:one_two_c_three']);
  });

  it('sends a share of what has a rate', async () => {
    const { port, sender, received } = await setUp();
    sender.configure({ host: '127.0.0.1', port, sampleRates: { never: 0, sometimes: 0.999_999 } });
    for (let count = 0; count < 50; count += 1) sender.increment('never');
    sender.increment('sometimes');
    sender.increment('always');
    await sender.close();
    expect(await received(2)).toEqual(['sometimes:1|c|@0.999999', 'always:1|c']);
  });

  it('is silent without settings, and moves when they change', async () => {
    const first = await setUp();
    const second = await setUp();
    const { sender } = first;
    sender.increment('lost');
    sender.configure({ host: '127.0.0.1', port: first.port });
    sender.increment('one');
    sender.configure({ host: '127.0.0.1', port: second.port });
    sender.increment('two');
    await sender.close();
    expect(await first.received(1)).toEqual(['one:1|c']);
    expect(await second.received(1)).toEqual(['two:1|c']);
    sender.increment('lost');
    await sender.close();
  });

  it('says once that a name cannot be looked up, and closes in time', async () => {
    const { logger, sender } = await setUp();
    sender.configure({ host: 'no.such.host.invalid', port: 8125 });
    const send = (): void => {
      for (let count = 0; count < 500; count += 1) sender.increment(`${'a'.repeat(100)}.${count}`);
    };
    const told = () => logger.records.map(({ message }) => message);
    send();
    await vi.waitFor(() => expect(told()).toHaveLength(1), { timeout: 20_000 });
    send();
    const started = performance.now();
    await sender.close();
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(told()).toEqual(['cannot send to statsd']);
  });
});
