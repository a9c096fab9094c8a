import * as z from 'zod';

/** Of the second there are changes beside it (`beliefChange.ts`), without which it is an old state. */
export const format = 2;

function makeShapes() {
  const lines = z.array(z.string());
  const section = z.object({ title: z.string(), lines });
  // What another version wrote otherwise must not be taken for a server.
  const server = z.object({
    name: z.string(),
    address: z.string(),
    port: z.int(),
    // JSON leaves out what is undefined.
    id: z
      .int()
      .optional()
      .transform((id): number | undefined => id),
    cookie: z.string().exactOptional(),
    options: lines,
    weight: z.int().exactOptional(),
    disabled: z.boolean(),
    unconfirmed: z.literal(true).exactOptional(),
  });
  const service = z.object({
    service: z.string(),
    frontend: section.exactOptional(),
    backend: z.object({ name: z.string(), lines, servers: z.array(server) }),
  });
  const services = z.array(service);
  const state = z.object({ base: z.array(section), services, sharedFrontend: section.exactOptional() });
  /** The identity of a worker. */
  const process = z.object({ pid: z.int(), startedAt: z.number() });
  const facts = { sha256: z.string(), at: z.number(), unchecked: z.literal(true).exactOptional() };
  const socket = z.string();
  return {
    beliefs: z.object({
      format: z.literal([1, format]),
      /** Of the last change that is in it. */
      seq: z.int().default(0),
      written: z.object({ desired: state, ...facts }).optional(),
      running: z.array(
        z.object({ socket, process, desired: state.optional(), asWritten: z.boolean().optional() }),
      ),
    }),
    change: z.object({
      /** One more than that of the change before. */
      seq: z.int(),
      written: z.object({ ...facts, services }).exactOptional(),
      running: z.array(z.object({ socket, process, services: services.exactOptional() })),
    }),
    intent: z.object({ socket, process, service: z.string(), server, after: z.int().default(0) }),
  };
}

let made: ReturnType<typeof makeShapes> | undefined;

/** What of beliefs is kept on disk, as JSON. Made when there is some: routes of a first start need not wait for it. */
export function storedShapes(): ReturnType<typeof makeShapes> {
  return (made ??= makeShapes());
}
