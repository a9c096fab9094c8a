import { openSession } from '@smartstack/registry';

// Opens a session with everything that could keep a process alive, and closes it when told. Nothing
// here ends the process: it must come to its end by itself.
const session = openSession({ hosts: [process.argv[2] ?? ''], sessionTimeoutMs: 30_000 });
session.register({ parent: '/child', mode: 'ephemeral' }).want({ name: 'i', data: Buffer.from('x') });
session.watchChildren('/child', { onSnapshot: () => process.stdout.write('connected\n') });
session.watchChildren('/other', { onSnapshot: () => undefined, jitterMs: 60_000 });
process.stdin.once('data', () => {
  process.stdin.destroy();
  session.close({ deadlineMs: 500 }).then(
    () => process.stdout.write('closed\n'),
    (error: unknown) => process.stdout.write(`failed: ${String(error)}\n`),
  );
});
