// Users in a process of their own, until told to stop. See traffic.ts.
import { Agent } from 'node:http';
import { askShort, askStream, converse } from './requests.ts';
import type { ClientKind, Clients, KindTally, TrafficPlan } from './traffic.ts';
import { pause } from '../harness/pause.ts';

const { clients, timeoutMs } = JSON.parse(process.argv[2] ?? '{}') as TrafficPlan;
const tally: Partial<Record<ClientKind, KindTally>> = {};
let stopped = false;

/** One user's way to ask once; `fresh` users have no agent to keep a connection. */
function asker({ kind, port }: Clients): () => Promise<void> {
  switch (kind) {
    case 'fresh':
      return () => askShort(port, timeoutMs, false);
    case 'keep-alive': {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      return () => askShort(port, timeoutMs, agent);
    }
    case 'stream':
      return () => askStream(port, timeoutMs);
    case 'tcp':
      return () => converse(port, timeoutMs, 1 + Math.floor(Math.random() * 10), 50);
  }
}

async function user(plan: Clients, own: KindTally): Promise<void> {
  const ask = asker(plan);
  while (!stopped) {
    const [sentAt, started] = [Date.now(), performance.now()];
    own.requests += 1;
    const message = await ask().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const tookMs = performance.now() - started;
    own.slowestMs = Math.max(own.slowestMs, tookMs);
    if (message !== undefined) {
      own.failures += 1;
      own.messages[message] = (own.messages[message] ?? 0) + 1;
      if (own.first.length < 3) own.first.push({ sentAt, tookMs, message });
    }
    await pause(Math.random() * plan.paceMs);
  }
}

process.on('message', (message) => {
  if (message === 'stop') stopped = true;
  else process.send?.({ tally, isFinal: false });
});
process.once('disconnect', () => process.exit());
const users = clients.flatMap((plan) => {
  const own = (tally[plan.kind] ??= { requests: 0, failures: 0, slowestMs: 0, messages: {}, first: [] });
  return Array.from({ length: plan.count }, () => user(plan, own));
});
await Promise.all(users);
process.send?.({ tally, isFinal: true });
