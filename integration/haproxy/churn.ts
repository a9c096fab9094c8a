// A synapse that never rests, to be killed: changes servers as fast as it can until it dies.
import { startGenerator, topLevel } from './bed.ts';

const [dir = '', port = '', servers = ''] = process.argv.slice(2);
const all = servers.split(',').map((server, index) => {
  const [host = '', at = ''] = server.split(':');
  return { host, port: Number(at), name: `u${index}` };
});
const bed = startGenerator(topLevel(dir, { state_file_path: null }));
process.stdout.write('running\n');
for (let isLoaded = false; ;) {
  const instances = all.filter((_, index) => index === 0 || Math.random() < 0.5);
  // As the reconcile loop does: what failed is tried again.
  const pass = bed.reconcile({
    web: { instances, haproxy: { port: Number(port), server_options: 'check inter 5s' } },
  });
  const done = await pass.catch((error: unknown) => void process.stderr.write(`${String(error)}\n`));
  if (done !== undefined && !isLoaded) {
    isLoaded = true;
    process.stdout.write('loaded\n');
  }
}
