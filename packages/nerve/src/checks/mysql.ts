import * as z from 'zod';
import { optional, seconds, withDefault } from '../config/values.js';
import { defaultName, defineCheck } from './check.js';
import { loginConflicts, loginOptions, loginProbe, loginProblems } from './login.js';

/** The most that a server may answer, in bytes: a check asks for a row or two. */
const maxBytes = 1024 * 1024;

/** Passes when a login to MySQL or MariaDB succeeds and a request is executed without an error. */
export const mysqlCheck = defineCheck({
  type: 'mysql',
  options: {
    username: withDefault(z.coerce.string().pipe(z.string().min(1)), 'root').describe(
      'The user to log in as.',
    ),
    database: optional(z.string().min(1)).describe('The database; none by default.'),
    request: withDefault(z.string().min(1), 'SELECT 1').describe('What to execute; it may answer anything.'),
    ...loginOptions,
    timeout: withDefault(seconds, 1).describe('Seconds for all of it, from connecting to the answer.'),
  },
  conflicts: loginConflicts,
  problems: loginProblems,
  create: (options, context) => {
    const { username, request, database } = options;
    return {
      name: options.name ?? defaultName('mysql', options, context),
      deadlineMs: options.timeout * 1000,
      probe: loginProbe(options, context, maxBytes, async (login) => {
        const { probeMysql } = await import('./clients/mysql.js');
        await probeMysql({ ...login, username, database, request });
      }),
    };
  },
});
