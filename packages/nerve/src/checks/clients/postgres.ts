import type { Socket } from 'node:net';
import type { Client as PgClient } from 'pg';
// @ts-expect-error: only the whole of pg has types, which loads a pool as well.
import ClientOfPg from 'pg/lib/client.js';
import type { Login } from '../login.js';

const Client = ClientOfPg as typeof PgClient;

/** What one probe of PostgreSQL does. */
export interface PostgresProbe extends Login {
  readonly username: string;
  readonly database: string;
  readonly request: string;
  /** When the server itself should give the request up, in milliseconds. */
  readonly timeoutMs: number;
}

/** Logs in and executes the request. Rejects with what kept it from that. */
export async function probePostgres(probe: PostgresProbe): Promise<void> {
  const { tls, port, username, password, database, request, timeoutMs, trace } = probe;
  const client = new Client({
    // Only what the certificate must carry: where to connect to, the socket knows.
    host: tls?.name ?? probe.host,
    port,
    user: username,
    // Whatever else there is in the environment or in ~/.pgpass is not for this check.
    password: () => password ?? '',
    database,
    application_name: 'nerve',
    ssl: tls?.options ?? false,
    stream: () => unconnected(probe),
  });
  const broken = new Promise<never>((_, reject) => client.on('error', reject));
  const limit = Math.max(1, Math.round(timeoutMs));
  const work = async (): Promise<void> => {
    await client.connect();
    trace?.step('request');
    // The socket of a probe that is over is closed; the server would go on regardless.
    await client.query(`SET LOCAL statement_timeout = ${limit}; ${request}`);
  };
  await Promise.race([broken, work()]);
  // Says good-bye; whoever waits for the end of it is the signal.
  client.end().catch(() => undefined);
}

/** A socket that connects where the probe says once the client tells it to. */
function unconnected(probe: PostgresProbe): Socket {
  const { tls, username, database, trace } = probe;
  const socket = probe.begin();
  const how = tls === undefined ? '' : ', over TLS';
  if (trace !== undefined)
    socket.once('connect', () => trace.step('login', `as ${username} to ${database}${how}`));
  return Object.assign(socket, { connect: () => socket });
}
