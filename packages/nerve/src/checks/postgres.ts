import * as z from 'zod';
import { optional, seconds, withDefault } from '../config/values.js';
import { defaultName, defineCheck } from './check.js';
import { loginConflicts, loginOptions, loginProbe, loginProblems } from './login.js';

/** The most that a server may answer, in bytes: a check asks for a row or two. */
const maxBytes = 1024 * 1024;

/** Passes when a login succeeds and a request is executed without an error. */
export const postgresCheck = defineCheck({
  type: 'postgres',
  options: {
    username: withDefault(z.coerce.string().pipe(z.string().min(1)), 'postgres').describe(
      'The user to log in as.',
    ),
    database: optional(z.string().min(1)).describe("The database; the user's by default."),
    request: withDefault(z.string().min(1), 'SELECT 1').describe('What to execute; it may answer anything.'),
    ...loginOptions,
    timeout: withDefault(seconds, 1).describe(
      'Seconds for all of it; the server gives the request up as well.',
    ),
  },
  conflicts: loginConflicts,
  problems: loginProblems,
  create: (options, context) => {
    const { username, request, database = username } = options;
    const timeoutMs = options.timeout * 1000;
    return {
      name: options.name ?? defaultName('postgres', options, context),
      deadlineMs: timeoutMs,
      probe: loginProbe(options, context, maxBytes, async (login) => {
        const { probePostgres } = await import('./clients/postgres.js');
        await probePostgres({ ...login, username, database, request, timeoutMs });
      }),
    };
  },
});
