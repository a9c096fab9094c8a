// A small HTTP service that asks another one. All it knows of that one is an address on localhost.
import { createServer } from 'node:http';
import { leaveAtSigterm } from './leave.ts';
import { readOptions } from './options.ts';

const { port, name, upstream } = readOptions();
let isLeaving = false;

const server = createServer((request, response) => {
  if (request.url === '/health') {
    response.statusCode = isLeaving ? 503 : 200;
    response.end(isLeaving ? 'leaving\n' : 'ok\n');
    return;
  }
  response.setHeader('x-instance', name);
  fetch(upstream, { signal: AbortSignal.timeout(5_000) })
    .then(async (answer) => {
      const text = await answer.text();
      response.setHeader('x-upstream-instance', answer.headers.get('x-instance') ?? '');
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      response.end(`${name} asked ${upstream}, and ${text}`);
    })
    .catch((error: unknown) => {
      response.statusCode = 502;
      response.end(`${name} asked ${upstream}, and got no answer (${String(error)})\n`);
    });
});
// HAProxy keeps its connections: an idle one is not an error of ours.
server.keepAliveTimeout = 0;
server.listen(port, '127.0.0.1');
leaveAtSigterm(
  () => (isLeaving = true),
  () => {
    server.close();
    server.closeIdleConnections();
  },
);
