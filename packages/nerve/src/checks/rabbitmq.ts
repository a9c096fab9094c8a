import * as z from 'zod';
import { seconds, withDefault } from '../config/values.js';
import { defaultName, defineCheck } from './check.js';
import { loginConflicts, loginOptions, loginProbe, loginProblems } from './login.js';

const maxBytes = 1024 * 1024;

/** Passes when a message that is published to a queue can be taken from it. */
export const rabbitmqCheck = defineCheck({
  type: 'rabbitmq',
  options: {
    username: withDefault(z.coerce.string(), 'guest').describe('The user to log in as.'),
    vhost: withDefault(z.string().min(1).max(255), '/').describe('The virtual host.'),
    queue: withDefault(z.string().max(255), 'nerve').describe(
      'The queue for the message, declared if it is missing; empty: only log in.',
    ),
    ...loginOptions,
    timeout: withDefault(seconds, 1).describe('Seconds for all of it, from connecting to closing.'),
  },
  conflicts: loginConflicts,
  problems: loginProblems,
  create: (options, context) => {
    const { username, vhost, queue } = options;
    return {
      name: options.name ?? defaultName('rabbitmq', options, context),
      deadlineMs: options.timeout * 1000,
      probe: loginProbe(options, context, maxBytes, async (login) => {
        const { probeAmqp } = await import('./clients/amqp.js');
        await probeAmqp({ ...login, password: login.password ?? 'guest', username, vhost, queue });
      }),
    };
  },
});
