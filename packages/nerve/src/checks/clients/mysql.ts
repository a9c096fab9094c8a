import { createConnection } from 'mysql2';
import type { Login } from '../login.js';

/** What one probe of MySQL or MariaDB does. */
export interface MysqlProbe extends Login {
  readonly username: string;
  readonly database: string | undefined;
  readonly request: string;
}

/** Logs in and executes the request. Rejects with what kept it from that. */
export async function probeMysql(probe: MysqlProbe): Promise<void> {
  const { tls, username, password, database, request, trace } = probe;
  // The client verifies the name that it finds here where it has an address only.
  const socket = Object.assign(probe.begin(), { _host: tls?.name ?? probe.host });
  const how = tls === undefined ? '' : ', over TLS';
  if (trace !== undefined) socket.once('connect', () => trace.step('login', `as ${username}${how}`));
  const connection = createConnection({
    // Only what the certificate must carry: where to connect to, the socket knows.
    host: tls?.name ?? probe.host,
    user: username,
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(tls === undefined
      ? {}
      : {
          ssl: {
            rejectUnauthorized: tls.verify,
            verifyIdentity: tls.verify,
            ...(tls.trust === undefined ? {} : { ca: tls.trust.pem.toString() }),
          },
        }),
    // No timer of the client's: the signal ends the socket.
    connectTimeout: 0,
    stream: () => socket,
  });
  await new Promise<void>((resolve, reject) => {
    connection.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    if (trace !== undefined) connection.once('connect', () => trace.step('request'));
    connection.query(request, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  // Says good-bye; whoever waits for the end of it is the signal.
  connection.end(() => undefined);
}
