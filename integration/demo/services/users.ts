// A small HTTP service: who are the users?
import { createServer } from 'node:http';
import { leaveAtSigterm } from './leave.ts';
import { readOptions } from './options.ts';

const { port, name } = readOptions();
const people = ['Ada', 'Edsger', 'Grace', 'Leslie', 'Barbara', 'Radia'];
let served = 0;
let isLeaving = false;

const server = createServer((request, response) => {
  if (request.url === '/health') {
    response.statusCode = isLeaving ? 503 : 200;
    response.end(isLeaving ? 'leaving\n' : 'ok\n');
    return;
  }
  response.setHeader('x-instance', name);
  response.end(`${name} says ${people[served++ % people.length] ?? ''}\n`);
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
