import { parseAuth, type SessionOptions, tlsSettings } from '@smartstack/registry';
import * as z from 'zod';
import type { CamelKeys } from '../config/camel.js';
import { listOf, optional } from '../config/values.js';

/** What airbnb's nerve asks for, in milliseconds. */
const sessionTimeoutMs = 32_000;

const zkHost = z
  .string()
  .regex(
    /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?(\/[^\s,]*)?$/,
    'expected host:port, or host:port/chroot',
  )
  .refine((entry) => {
    const port = Number(/^[^/]*[^/:\]]:(\d+)|\]:(\d+)/.exec(entry)?.slice(1).join('') ?? 2181);
    return port >= 1 && port <= 65_535;
  }, 'expected a port from 1 to 65535');

const file = z.string().min(1).startsWith('/', 'expected an absolute path');

/** Keys that say which ZooKeeper, and as whom. Those beyond `zk_hosts` are not airbnb's, whose nerve ignores them. */
export const ensembleKeys = {
  zk_hosts: listOf(z.string())
    .transform((entries) => entries.flatMap((entry) => entry.split(',')).map((entry) => entry.trim()))
    .pipe(z.array(zkHost).min(1))
    .describe('The ensemble, each host:port; one may carry a chroot: host:port/smartstack.'),
  zk_auth: optional(z.string().regex(/^digest:[^:]+:.+$/, 'expected digest:user:password')).describe(
    'Who the session is: digest:user:password. Prefer zk_auth_file, which keeps it out of this file.',
  ),
  zk_auth_file: optional(file).describe('A file that holds what zk_auth would.'),
  zk_tls: optional(tlsSettings()).describe('Connect with TLS.'),
};

/** The same, as the code sees it. */
export type EnsembleSettings = CamelKeys<z.output<z.ZodObject<typeof ensembleKeys>>>;

/** Equal for settings under which a registration keeps its session. */
export function placeOfEnsemble(settings: EnsembleSettings): string {
  const { zkAuth, zkAuthFile, zkTls } = settings;
  return JSON.stringify([sessionHosts(settings.zkHosts), zkAuth, zkAuthFile, zkTls]);
}

/**
 * The hosts in order, the chroot (which any of them may carry) at the last, as ZooKeeper's
 * connection strings have it.
 */
export function sessionHosts(hosts: readonly string[]): readonly string[] {
  const parts = hosts.map((entry) => /^([^/]*)(.*)$/.exec(entry));
  const chroot = parts.map((part) => part?.[2] ?? '').find((suffix) => suffix !== '') ?? '';
  const sorted = [...new Set(parts.map((part) => part?.[1] ?? ''))].sort();
  return sorted.map((entry, index) => (index === sorted.length - 1 ? entry + chroot : entry));
}

/** What opens a session. */
export function sessionOptions(settings: EnsembleSettings): SessionOptions {
  const { zkAuth, zkAuthFile, zkTls } = settings;
  return {
    hosts: sessionHosts(settings.zkHosts),
    sessionTimeoutMs,
    ...(zkAuthFile === undefined
      ? zkAuth !== undefined && { auth: [parseAuth(zkAuth)] }
      : { authFile: zkAuthFile }),
    ...(zkTls && { tls: zkTls }),
  };
}
