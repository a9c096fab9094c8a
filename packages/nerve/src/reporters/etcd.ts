import {
  credentialFiles,
  credentialProblem,
  EtcdKey,
  type EtcdShare,
  hostAndPort,
  type Instance,
  nerveCodec,
  tlsSettings,
} from '@smartstack/registry';
import * as z from 'zod';
import type { CamelKeys } from '../config/camel.js';
import { absolutePath, host, listOf, optional, port, seconds, withDefault } from '../config/values.js';
import { Carrier } from './carrier.js';
import { defineReporter, type PlainState, type Reporter, type ReporterContext } from './reporter.js';

const etcdPath = z
  .string()
  .startsWith('/', 'expected a path that starts with /')
  .refine((path) => !/[\0-\x1f\x7f]/.test(path), 'expected a path without control characters');

const keys = {
  etcd_host: optional(host).describe(
    'The etcd to register with, which must be version 3. With etcd: this or etcd_hosts.',
  ),
  etcd_port: withDefault(port.transform(Number), 4003).describe(
    'The port of etcd_host. etcd itself listens on 2379.',
  ),
  etcd_hosts: optional(listOf(hostAndPort)).describe(
    'The members of a cluster, each host:port; the first that answers is used.',
  ),
  etcd_path: withDefault(etcdPath, '/').describe('The key is this path, the instance_id and a number.'),
  etcd_ttl: optional(seconds.pipe(z.number().min(1))).describe(
    'Seconds after which the key of an agent that died goes; 5 times check_interval by default, as with airbnb.',
  ),
  etcd_username: optional(z.string().min(1)).describe('Who to be, where etcd asks for that.'),
  etcd_password: optional(z.string()).describe(
    'Its password. Prefer etcd_password_file, which keeps it out of this file.',
  ),
  etcd_password_file: optional(absolutePath).describe('A file that holds the password.'),
  etcd_tls: optional(tlsSettings()).describe('Connect with TLS.'),
};

/** The keys of `reporter_type: etcd`, as the code sees them. */
export type EtcdReporterSettings = CamelKeys<z.output<z.ZodObject<typeof keys>>>;

/** Registers a service as a key of etcd 3, which goes with its lease. Named and filled as airbnb's nerve does in etcd 2. */
export const etcdReporter = defineReporter<'etcd', typeof keys, EtcdReporterSettings>({
  type: 'etcd',
  options: keys,
  required: [],
  complete: (settings, { checkIntervalMs }) => ({
    ...settings,
    etcdTtl: settings.etcdTtl ?? Math.ceil((checkIntervalMs / 1000) * 5),
  }),
  problems: async (settings, asked) => {
    const found: { key: string; message: string }[] = [];
    if (settings.etcdHost === undefined && settings.etcdHosts === undefined)
      found.push({ key: 'etcd_host', message: 'Required, or etcd_hosts' });
    const named = settings.etcdPassword ?? settings.etcdPasswordFile;
    if (settings.etcdUsername !== undefined && named === undefined)
      found.push({ key: 'etcd_username', message: 'needs etcd_password or etcd_password_file' });
    const { etcdTls: tls } = settings;
    if (tls === undefined) return found;
    const message = await asked.ask(`etcd ${JSON.stringify(tls)}`, credentialFiles({ tls }), () =>
      credentialProblem({ tls }),
    );
    return message === undefined ? found : [...found, { key: 'etcd_tls', message }];
  },
  // No two registrations ever have one key: a new one can stand beside the old.
  place: (settings) => JSON.stringify([leaseSettings(settings), settings.etcdPath]),
  clash: () => false,
  create: (settings, context) => new EtcdReporter(settings, context),
});

function leaseSettings(settings: EtcdReporterSettings) {
  const { etcdHost, etcdPort, etcdHosts, etcdTtl, etcdTls, etcdUsername, etcdPassword, etcdPasswordFile } =
    settings;
  const literal = etcdHost?.includes(':') ? `[${etcdHost}]` : etcdHost;
  const single = literal === undefined ? [] : [`${literal}:${etcdPort}`];
  return {
    endpoints: etcdHosts ?? single,
    ttlSeconds: etcdTtl ?? 30,
    tls: etcdTls,
    username: etcdUsername,
    password: etcdPassword,
    passwordFile: etcdPasswordFile,
  };
}

/** As Ruby joins them: slashes at the end do not count. */
function prefixOf(path: string, instanceId: string): string {
  return `${path.replace(/\/+$/, '')}/${instanceId}`;
}

class EtcdReporter implements Reporter<EtcdReporterSettings> {
  readonly #share: EtcdShare;
  readonly #carrier: Carrier<Instance>;
  readonly #stopListening: () => void;
  readonly #path: string;
  #keys: readonly { readonly prefix: string; readonly key: EtcdKey }[] = [];
  readonly #end = new AbortController();
  #lease: string | undefined;
  #instance: Instance | undefined;

  constructor(settings: EtcdReporterSettings, { clock, logger, random, etcd }: ReporterContext) {
    this.#share = etcd.acquire(leaseSettings(settings));
    this.#path = settings.etcdPath;
    const { lease } = this.#share;
    this.#carrier = new Carrier({
      clock,
      logger,
      random,
      carry: async (wanted, begun) => {
        if (wanted !== undefined) await lease.asked;
        return await lease.turn(() => {
          begun();
          // What was wanted when it had to queue may be history.
          return this.#carry(this.#instance);
        }, this.#end.signal);
      },
    });
    this.#lease = lease.id;
    this.#stopListening = lease.onChange(() => {
      if (lease.id === this.#lease) return;
      this.#lease = lease.id;
      this.#carrier.again('its lease is gone');
    });
  }

  get state(): PlainState {
    return this.#carrier.state;
  }

  get unreachable(): boolean {
    return this.#share.lease.state.kind !== 'held';
  }

  report(instance: Instance | undefined): void {
    this.#instance = instance;
    this.#carrier.want(instance);
  }

  configure(): void {
    // Whatever may change is part of the place.
  }

  settled(signal: AbortSignal): Promise<void> {
    return this.#carrier.settled(signal);
  }

  onChange(listener: () => void): () => void {
    const stop = [this.#carrier.onChange(listener), this.#share.lease.onChange(listener)];
    return () => stop.forEach((one) => one());
  }

  run(): Promise<void> {
    return Promise.resolve();
  }

  async dispose(deadlineMs?: number): Promise<void> {
    this.#stopListening();
    // What waits for its turn never begins; what is under way ends with the connection.
    this.#end.abort();
    this.#carrier.dispose();
    for (const { key } of this.#keys) key.release();
    await this.#share.release(deadlineMs);
  }

  async #carry(wanted: Instance | undefined): Promise<string | undefined> {
    const prefix = wanted && prefixOf(this.#path, wanted.name ?? '');
    let place: string | undefined;
    if (wanted !== undefined && prefix !== undefined) {
      place = await this.#keyUnder(prefix).put(nerveCodec.encode(wanted).toString());
    }
    // Those of another instance_id, or all: the new one stands before the old one goes.
    for (const old of this.#keys.filter((one) => one.prefix !== prefix)) {
      await old.key.remove();
      this.#keys = this.#keys.filter((one) => one !== old);
    }
    return place;
  }

  #keyUnder(prefix: string): EtcdKey {
    const known = this.#keys.find((one) => one.prefix === prefix);
    if (known) return known.key;
    const key = new EtcdKey(this.#share.lease, prefix, () => this.#carrier.again('someone removed it'));
    this.#keys = [...this.#keys, { prefix, key }];
    return key;
  }
}
