import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSession } from './session.js';

const sessionTimeoutMs = 9_000;

/** A session to servers that are all down, and a resolver of which the names in `hung` get no answer. */
function bed(...names: readonly string[]) {
  const clock = new FakeClock();
  const dials: string[] = [];
  const hung = new Set(names);
  const answers: Record<string, string> = { a: '10.0.0.1', b: '10.0.0.2' };
  const session = openSession({
    ...{ hosts: ['a', 'b'], sessionTimeoutMs, clock, logger: new RecordingLogger(), random: () => 0 },
    resolve: (host) =>
      hung.has(host) ? new Promise(() => undefined) : Promise.resolve([answers[host] ?? '']),
    transport: {
      dial: async ({ server }) => {
        dials.push(server.address);
        return await Promise.resolve({ kind: 'failed', refused: false, message: 'down' });
      },
    },
  });
  onTestFinished(() => session.close());
  return { clock, dials, hung };
}

describe('a name that a resolver never answers', () => {
  it('keeps nobody from the servers with other names', async () => {
    const { clock, dials } = bed('a');
    await clock.advance(sessionTimeoutMs);
    expect(new Set(dials)).toEqual(new Set(['10.0.0.2']));
  });

  it('stands for what it was before', async () => {
    const { clock, dials, hung } = bed();
    await clock.advance(sessionTimeoutMs);
    hung.add('a');
    await clock.advance(sessionTimeoutMs);
    dials.length = 0;
    await clock.advance(4 * sessionTimeoutMs);
    expect(new Set(dials)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });
});
