import * as z from 'zod';
import { parseAddress } from './address.js';
import type { AdminAccess, AdminAddress } from './types.js';

const place = z.string().transform((text, context): AdminAddress => {
  const parsed = parseAddress(text);
  if (parsed.ok) return parsed.address;
  const { problem } = parsed;
  context.addIssue({
    code: 'custom',
    message: problem.startsWith('expected') ? `${problem}, or false` : problem,
  });
  return z.NEVER;
});

/** Text: what YAML makes of 0660 without quotes depends on its version. */
const mode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected three octal digits in quotes, such as "0660"')
  .transform((text) => Number.parseInt(text, 8));

const hostName = z
  .string()
  .regex(
    /^(?=.{1,253}$)[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([\w-]*[A-Za-z0-9_])?)*$/,
    'expected a host name without port',
  );

const group = z
  .union([z.string().regex(/^[A-Za-z0-9_][\w.-]*\$?$/, 'expected the name of a group'), z.int().min(0)])
  .transform(String);

/** The `admin` key of an agent's own settings; its output is where to listen (nowhere: an empty list), and for whom. */
export function adminSettings(defaultListen: string, also = '') {
  return z
    .strictObject({
      listen: z
        .union([z.literal(false), place, z.array(place).min(1)])
        .nullish()
        .meta({ default: defaultListen })
        .describe(
          `Where the HTTP API is served: host:port, the path of a unix socket, or a list of them; false for nowhere.${also}`,
        ),
      token_file: z
        .string()
        .startsWith('/', 'expected an absolute path')
        .nullish()
        .describe(
          'A file with the token that requests over TCP need to change something, and to read on an address other than loopback. Without one, they may not.',
        ),
      allowed_hosts: z
        .array(hostName)
        .nullish()
        .meta({ default: [] })
        .describe(
          'Host names under which browsers and programs may ask over TCP, beside addresses, `localhost` and the names in `listen`: requests for any other name are refused, since web pages can be made to resolve to this host.',
        ),
      mode: mode
        .nullish()
        .meta({ default: '0660' })
        .describe(
          'Permissions of the unix socket, octal, in quotes: whoever may write to it may do everything.',
        ),
      group: group
        .nullish()
        .describe("Group of the unix socket, by name or number; the agent's own by default."),
    })
    .nullish()
    .transform((admin): AdminSettings => {
      const listen = admin?.listen ?? place.parse(defaultListen);
      const addresses = listen === false ? [] : Array.isArray(listen) ? listen : [listen];
      return {
        listen: addresses,
        isUsual: admin?.listen === undefined || admin.listen === null,
        allowedHosts: admin?.allowed_hosts ?? [],
        access: {
          ...(admin?.token_file && { tokenFile: admin.token_file }),
          ...(admin?.mode === undefined || admin.mode === null ? {} : { socketMode: admin.mode }),
          ...(admin?.group && { socketGroup: admin.group }),
        },
      };
    })
    .describe("The agent's own HTTP server.");
}

/** Where an agent serves its HTTP API, and for whom. */
export interface AdminSettings {
  readonly listen: readonly AdminAddress[];
  readonly access: AdminAccess;
  /** Names under which it may be asked, beside the usual ones. */
  readonly allowedHosts: readonly string[];
  /** Nothing was said of `listen`. */
  readonly isUsual: boolean;
}

/**
 * The same, and on a socket in the folder that systemd made for the unit, where nothing else was said: whoever may
 * reach that may change something. The first of several folders counts.
 */
export function withUnitSocket(
  settings: AdminSettings,
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): AdminSettings {
  const [folder] = env.RUNTIME_DIRECTORY?.split(':') ?? [];
  if (!settings.isUsual || !folder) return settings;
  return { ...settings, listen: [...settings.listen, { socket: `${folder}/${name}.sock` }] };
}
