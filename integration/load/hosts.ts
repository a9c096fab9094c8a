import { openSession, type RegistrationHandle, type ZkSession } from '@smartstack/registry';
import { onCleanUp } from '../discovery/bed.ts';
import { eventually } from '../harness/eventually.ts';
import type { LoadBed } from './bed.ts';
import { pathOf, type Registered } from './registrations.ts';

/** Shorter than any operator's, so that a scenario need not wait for it. */
export const sessionTimeoutMs = 2_000;

/** A host: instances of several services that stand in the registry as long as its session does. */
export interface Host {
  readonly addresses: readonly string[];
  /** Resolves when all its instances are registered. */
  registered(): Promise<void>;
  /** Never registers again these instances, as a host does on which they do not run any more. */
  forget(addresses: ReadonlySet<string>): void;
}

function register(session: ZkSession, service: string, instance: Registered): RegistrationHandle {
  const handle = session.register({ parent: pathOf(service), mode: 'ephemeral_sequential' });
  handle.want({ name: `${instance.name}_`, data: Buffer.from(JSON.stringify(instance)) });
  return handle;
}

/**
 * Registers every address of the fleet, as nerve does, from so many hosts with a session each, through `address`.
 * Every service has instances on every host.
 */
export function startHosts(bed: LoadBed, address: string, count: number): readonly Host[] {
  const { fleet, services } = bed;
  const perHost = Math.ceil(fleet.addresses.length / count);
  return Array.from({ length: count }, (_, number): Host => {
    const addresses = fleet.addresses.slice(number * perHost, (number + 1) * perHost);
    const session = openSession({ hosts: [address], sessionTimeoutMs, backoff: { minMs: 50, maxMs: 500 } });
    onCleanUp(() => session.close({ deadlineMs: 0 }));
    const handles = new Map(
      addresses.map((host, i) => {
        const { name, mode } = services[i % services.length]!;
        const port = mode === 'http' ? fleet.httpPort : fleet.tcpPort;
        return [host, register(session, name, { host, port, name: `h${number}-${i}`, weight: 1 })] as const;
      }),
    );
    return {
      addresses,
      registered: async () => {
        const signal = AbortSignal.timeout(60_000);
        await Promise.all([...handles.values()].map((handle) => handle.settled(signal)));
      },
      forget: (gone) => {
        for (const host of gone) {
          handles.get(host)?.want(undefined);
          handles.delete(host);
        }
      },
    };
  });
}

/** Waits until the registry holds so many instances of all services together. */
export async function awaitRegistered({ session, services }: LoadBed, count: number): Promise<void> {
  await eventually(
    async () => {
      const children = await Promise.all(services.map(({ name }) => session.getChildren(pathOf(name))));
      const found = children.reduce((sum, each) => sum + each.children.length, 0);
      if (found !== count) throw new Error(`there are ${found}`);
      return true;
    },
    { what: `${count} instances are registered`, timeoutMs: 60_000, intervalMs: 20 },
  );
}
