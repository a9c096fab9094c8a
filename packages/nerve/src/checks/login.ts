import { describeError } from '@smartstack/agent';
import { authoritiesProblems } from './authorities.js';
import type { Asked } from '../config/asked.js';
import { type Check, type CheckContext, failed, type OptionProblem, target } from './check.js';
import {
  passwordConflicts,
  passwordOptions,
  passwordProblems,
  type PasswordSettings,
  passwordSource,
  withoutPassword,
} from './credentials.js';
import { tracedLookup } from './connecting.js';
import { type Trace, withoutSecret } from './trace.js';
import { beginSocket, openSocket } from './sockets.js';
import type { LookupFunction, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import {
  connectionOptions,
  type Tls,
  tlsConflicts,
  tlsOptions,
  type TlsSettings,
  tlsSource,
} from './tlsOptions.js';

/** The options of checks that log in to a server of a protocol of its own. */
export const loginOptions = { ...passwordOptions, ...tlsOptions } as const;

type Settings = PasswordSettings & TlsSettings;

/** Such options that do not go together. */
export function loginConflicts(options: Settings): readonly OptionProblem[] {
  return [...passwordConflicts(options), ...tlsConflicts(options)];
}

/** What is wrong with the files that they name. */
export async function loginProblems(options: Settings, asked: Asked): Promise<readonly OptionProblem[]> {
  return [
    ...(await passwordProblems(options, asked)),
    ...(await authoritiesProblems(options.tlsCaFile, asked)),
  ];
}

/**
 * What one probe needs to connect and to log in. Clients of protocols are in files of their own, which
 * know of the agent no more than this.
 */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly password: string | undefined;
  /** Ends the probe. */
  readonly signal: AbortSignal;
  readonly tls: (Tls & { readonly options: ConnectionOptions }) | undefined;
  /** What a client that makes its own socket resolves with; asked for when it is about to connect. */
  readonly lookup: () => LookupFunction;
  readonly trace: Trace | undefined;
  /** Begins to connect to the server, without TLS. The socket is gone once the signal aborts. */
  readonly begin: (signal?: AbortSignal) => Socket;
  /** Connects, with TLS if the check has it. */
  readonly open: () => Promise<Socket>;
}

/**
 * A probe that passes unless `work` rejects; no password is in the reason. `maxBytes`: the most that
 * the server may send.
 */
export function loginProbe(
  options: Settings & { readonly host: string | undefined; readonly port: number | undefined },
  context: CheckContext,
  maxBytes: number,
  work: (login: Login) => Promise<void>,
): Check['probe'] {
  const { clock } = context;
  const address = target(options, context);
  const tls = tlsSource(options, address.host, clock);
  const secret = passwordSource(options, clock);
  return async (signal, listener) => {
    if (options.passwordFile !== undefined) listener?.step('password', options.passwordFile);
    const password = await secret();
    const trace = withoutSecret(listener, (text) => withoutPassword(text, password));
    try {
      if (options.tlsCaFile !== undefined) trace?.step('authorities', options.tlsCaFile);
      const spoken = await tls();
      const socket = { ...address, clock, signal, maxBytes, trace };
      await work({
        ...address,
        password,
        signal,
        tls: spoken === undefined ? undefined : { ...spoken, options: connectionOptions(spoken) },
        lookup: () => tracedLookup(address, trace),
        trace,
        begin: (end = signal) => beginSocket({ ...socket, signal: end }),
        open: () => openSocket({ ...socket, tls: spoken }),
      });
      return { ok: true };
    } catch (error) {
      return failed(withoutPassword(describeError(error), password));
    }
  };
}
