import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics, systemClock } from '@smartstack/agent';
import { RecordingLogger } from '@smartstack/agent/testing';
import type { Instance } from '@smartstack/registry';
import type { CatalogView, ReconcileOutcome } from '../../packages/synapse/src/catalog/types.ts';
import { nginxKind } from '../../packages/synapse/src/generators/nginx/index.ts';
import { eventually } from '../harness/eventually.ts';
import type { Upstream } from '../harness/upstream.ts';

/** Services of a test, by name: instances and the service's `nginx` block. */
type Services = Readonly<
  Record<string, { readonly instances: readonly Instance[]; readonly nginx: unknown }>
>;

/** What of the status tests look at. */
interface NginxStatus {
  readonly process: 'gone' | 'unknown' | { readonly pid: number; readonly oldWorkers: number };
  readonly quarantined: readonly {
    readonly service: string;
    readonly reason: string;
    readonly kept: string;
  }[];
  readonly file: { readonly problem?: string };
}

/** A generator with its background work, and the real nginx of its own in a folder. */
export interface NginxBed {
  readonly configFile: string;
  readonly log: RecordingLogger;
  readonly status: NginxStatus;
  /** The pid of its master; NaN when there is no pid file. */
  readonly pid: number;
  services: Services;
  configure(more: Readonly<Record<string, unknown>>): void;
  pass(): Promise<ReconcileOutcome>;
  /** Passes until nothing is left to do. */
  settle(): Promise<void>;
  text(): string;
  metrics(): Promise<string>;
  /** Ends the generator, not its nginx. */
  stopAgent(): Promise<void>;
  stop(): Promise<void>;
}

/** Lines that an nginx of a test has in `main`. */
export function mainLines(dir: string): readonly string[] {
  return [
    'load_module modules/ngx_stream_module.so',
    `pid ${dir}/nginx.pid`,
    `error_log ${dir}/error.log`,
    'worker_processes 2',
  ];
}

/** An instance at an upstream. */
export function instanceOf({ host, port, identity }: Upstream, more: Partial<Instance> = {}): Instance {
  return { host, port, name: identity, ...more };
}

/** Starts the generator; its nginx once there is a pass. `more` are keys of the top-level block. */
export function startBed(dir: string, more: Readonly<Record<string, unknown>> = {}): NginxBed {
  const configFile = join(dir, 'nginx.conf');
  const block = (keys: Readonly<Record<string, unknown>>): Record<string, unknown> => ({
    contexts: { main: mainLines(dir), events: ['worker_connections 512'], http: ['access_log off'] },
    ...{ config_file_path: configFile, restart_interval: 0, listen_address: '127.0.0.1' },
    ...keys,
  });
  const issues = nginxKind.check(block(more));
  if (issues.length > 0) throw new Error(JSON.stringify(issues));
  const log = new RecordingLogger();
  const metrics = createMetrics();
  const generator = nginxKind.create(block(more), { clock: systemClock, logger: log, metrics });
  const stopping = new AbortController();
  const running = generator.run(() => undefined, stopping.signal);
  const bed: NginxBed = {
    configFile,
    log,
    services: {},
    get status() {
      return generator.status() as NginxStatus;
    },
    get pid() {
      return Number.parseInt(readFileSync(join(dir, 'nginx.pid'), 'utf8'), 10);
    },
    configure: (keys) => generator.configure(block(keys)),
    pass: () => generator.reconcile(viewOf(bed.services), stopping.signal),
    settle: async () => {
      await eventually(async () => (await bed.pass()).outcome === 'noop', {
        what: 'nothing is left to do',
        timeoutMs: 20_000,
      });
    },
    text: () => readFileSync(configFile, 'utf8'),
    metrics: async () => (await metrics.expose()).body,
    stopAgent: async () => {
      stopping.abort();
      await running;
    },
    stop: async () => {
      await bed.stopAgent();
      await endNginx(dir);
    },
  };
  return bed;
}

/** Ends the nginx of a folder at once. */
export async function endNginx(dir: string): Promise<void> {
  let pid: number;
  try {
    pid = Number.parseInt(readFileSync(join(dir, 'nginx.pid'), 'utf8'), 10);
    process.kill(pid, 'SIGTERM');
  } catch {
    return;
  }
  await eventually(() => !isAlive(pid), { what: 'nginx ends', timeoutMs: 10_000 });
}

/** Whether a process runs; a dead one that nobody buried does not. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function viewOf(services: Services): CatalogView {
  return {
    services: Object.entries(services).map(([name, { instances, nginx }]) => ({
      name,
      source: 'live',
      instances,
      blocks: { nginx },
    })),
  };
}
