import { byText } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import * as z from 'zod';

import type { SourceProblem } from '../catalog/types.js';
import { discoveryBase, port } from '../config/fields.js';
import { JsonClient } from './http/jsonClient.js';
import { pollSource } from './source/poll.js';
import type { SourceReading } from './source/sourceState.js';
import { defineWatcher } from './types.js';

const usualInterval = 10;
const usualPath = '/v2/apps/%{app}/tasks';
/** A Marathon that answers nothing for so long is lost, in milliseconds. */
const timeoutMs = 10_000;

const options = () =>
  z.object({
    method: z.literal('marathon'),
    marathon_api_url: z
      .url({ protocol: /^https?$/, error: 'expected a URL: http://marathon:8080' })
      .describe('Where Marathon answers.'),
    application_name: z.string().min(1).describe('The id of the application.'),
    marathon_api_path: z
      .string()
      .min(1)
      .nullish()
      .describe('What to ask for; `%{app}` stands for the application.')
      .meta({ default: usualPath }),
    port_index: z
      .int()
      .min(0)
      .nullish()
      .describe("Which of the ports of a task is the instance's.")
      .meta({ default: 0 }),
    check_interval: z
      .number()
      .positive()
      .max(86_400)
      .nullish()
      .describe('Seconds between two questions.')
      .meta({ default: usualInterval }),
    ...discoveryBase,
  });

type Options = z.output<ReturnType<typeof options>>;

/** Tasks of an application of Marathon. */
export const marathonWatcher = defineWatcher({
  method: 'marathon',
  options,
  create: (given, context) => ({
    run: async (emit, signal) => {
      const { url, authorization } = questionOf(given);
      const isTls = url.protocol === 'https:';
      const client = new JsonClient(context.clock, () => Promise.resolve(isTls ? {} : undefined));
      const asked = {
        endpoint: url.port === '' && isTls ? `${url.host}:443` : url.host,
        path: `${url.pathname}${url.search}`,
        headers: authorization === undefined ? {} : { authorization },
        timeoutMs,
      };
      const poll = {
        source: `marathon ${url.href}`,
        everyMs: (given.check_interval ?? usualInterval) * 1000,
        timeoutMs,
        read: async (asking: AbortSignal) => {
          const { status, value } = await client.get(asked, asking);
          if (status !== 200) throw new Error(`it answers ${status}`);
          return tasksOf(value, given.port_index ?? 0);
        },
        ...{ emit, context },
      };
      try {
        await pollSource(poll, signal);
      } finally {
        client.close();
      }
    },
  }),
});

/** The URL to ask, and a password that stands in the one of the configuration. */
function questionOf(given: Options): {
  readonly url: URL;
  readonly authorization: string | undefined;
} {
  const path = (given.marathon_api_path ?? usualPath).replaceAll('%{app}', given.application_name);
  const base = new URL(given.marathon_api_url);
  const { username, password } = base;
  const words = [username, password].map((word) => decodeURIComponent(word)).join(':');
  base.username = '';
  base.password = '';
  // An application's id may begin with a slash: /v2/apps//group/app/tasks is asked for with one.
  const url = new URL(path.replaceAll(/\/{2,}/g, '/'), base);
  const isNamed = username !== '' || password !== '';
  return { url, authorization: isNamed ? `Basic ${Buffer.from(words).toString('base64')}` : undefined };
}

/** The instances among an application's tasks: those that started, by the names of their hosts. */
export function tasksOf(answer: unknown, index: number): SourceReading {
  const { tasks } = Object(answer) as { readonly tasks?: unknown };
  // Ruby takes an answer without tasks for none; it is rather one of somebody else.
  if (!Array.isArray(tasks)) throw new Error('it answers with no list of tasks');
  const instances: Instance[] = [];
  const problems: SourceProblem[] = [];
  for (const task of tasks) {
    const { host, ports, startedAt, id } = Object(task) as Readonly<Record<string, unknown>>;
    if (typeof startedAt !== 'string' || startedAt === '') continue;
    const at = port.safeParse((Array.isArray(ports) ? (ports as unknown[]) : [])[index]);
    if (typeof host === 'string' && host !== '' && at.success)
      instances.push({ host, port: at.data, name: host });
    else {
      const reason = at.success ? 'it has no host' : `it has no port at index ${index}`;
      problems.push({ path: `task ${String(id).slice(0, 200)}`, reason });
    }
  }
  instances.sort((a, b) => byText(a.host, b.host));
  return { instances, problems: problems.slice(0, 50) };
}
