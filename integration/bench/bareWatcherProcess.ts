// The floor of propagation as a process: ADDRESS PATH SOCKET BACKEND. What is in PATH when it starts counts as known.
import { once } from 'node:events';
import { createClient } from 'node-zookeeper-client';
import { BareWatcher } from './bareWatcher.ts';

const [address = '', path = '', socket = '', backend = ''] = process.argv.slice(2);
const client = createClient(address);
client.connect();
await once(client, 'connected');
const children = await new Promise<string[]>((resolve, reject) =>
  client.getChildren(path, (error, found) => (error ? reject(error) : resolve(found))),
);
new BareWatcher({ client, path, socket, backend }).start(children, () => console.log('watching'));
