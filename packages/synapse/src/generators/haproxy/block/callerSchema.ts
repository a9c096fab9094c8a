import * as z from 'zod';
import { integer, socketPathProblem, text } from './schemaFields.js';

/** Names of callers: they are words of a line, and parts of names of HAProxy's listeners. */
const callerName = /^[A-Za-z0-9_.:-]{1,64}$/;

const caller = z
  .strictObject({
    name: z
      .string()
      .regex(callerName, "must be 1 to 64 letters, digits, '_', '.', ':' and '-'")
      .describe('Who calls there.'),
    port: integer(1, 65_535).optional().describe('A port of its own.'),
    socket: z
      .string()
      .regex(/^\/[^\s,"'\\#]+$/, 'must be an absolute path without white space, commas or quotes')
      .superRefine((path, context) => {
        const message = socketPathProblem(path, 'bind');
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .describe('Or a unix socket, which permissions of its folder can keep for it.'),
    bind_options: text.optional().describe('Further words of its bind line, such as `mode 660`.'),
  })
  .refine(
    ({ port, socket }) => (port === undefined) !== (socket === undefined),
    'needs a `port` or a `socket`',
  );

/** Callers of a service that connect to an address of their own. */
export const callersSchema = z
  .array(caller)
  .max(64, 'must be 64 callers at most')
  .refine(
    (callers) => new Set(callers.map(({ port, socket }) => socket ?? port)).size === callers.length,
    'must not have one address twice',
  )
  .describe(
    'Callers that have an address of their own, by which it is known for certain who calls (`synapse edges`).',
  );

/** A caller with an address of its own. */
export type OwnCaller = z.output<typeof caller>;
