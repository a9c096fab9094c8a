import type { HealthReport } from '@smartstack/agent';
import type { EtcdPool, SessionPool, SessionState } from '@smartstack/registry';
import type { Control } from './control.js';
import type { ConfigStatus } from './configFollower.js';
import type { Services } from './services.js';
import { version } from './version.js';

/** The parts of a running agent that tell about themselves. */
export interface View {
  readonly instanceId: string;
  /** Wall clock milliseconds. */
  readonly startedAt: number;
  readonly config: ConfigStatus;
  readonly services: Services;
  readonly control: Control;
  readonly pool: SessionPool;
  readonly etcd: Pick<EtcdPool, 'leases'>;
}

/** The first line of a pool's key names the ensemble. */
function sessions(pool: SessionPool): readonly { readonly hosts: string; readonly state: SessionState }[] {
  return [...pool.sessions].map(([key, { state }]) => ({ hosts: key.split('\n', 1).join(''), state }));
}

/** What /status shows. */
export function statusPage(view: View): unknown {
  const { services, control, pool, etcd, ...rest } = view;
  const { hostDrain } = control;
  return {
    agent: 'nerve',
    version,
    ...rest,
    instanceId: view.instanceId,
    config: { ...view.config, failures: services.failures },
    sessions: sessions(pool),
    ...(etcd.leases.length > 0 && { etcd: etcd.leases }),
    ...(hostDrain === undefined ? {} : { drain: hostDrain }),
    services: services.status,
    withdrawing: services.withdrawing.map(({ service, reporter }) => ({
      service,
      registration: reporter.state,
    })),
  };
}

/** Whether the registry holds what it should: every healthy service that nothing keeps out, and no other. */
export function readiness(view: View, started: boolean): HealthReport {
  const reasons = started ? [] : ['starting'];
  if (view.control.isUnread) reasons.push('what operators ordered is not read yet');
  for (const { hosts, state } of sessions(view.pool)) {
    if (state.kind !== 'connected') reasons.push(`zookeeper ${hosts} is ${state.kind}`);
  }
  for (const { cluster, state } of view.etcd.leases) {
    if (state.kind !== 'held') reasons.push(`etcd ${cluster} is ${state.kind}`);
  }
  for (const { service, health, registration, throttled, drain, held } of view.services.status) {
    const present = registration.kind === 'present';
    if (drain !== undefined) {
      if (present) reasons.push(`${service} is drained, its registration ${registration.kind}`);
    } else if (health === 'unknown') reasons.push(`${service} is not checked yet`);
    else if (throttled) reasons.push(`${service} waits for its rate limit`);
    else if ((health === 'up' && held === undefined) !== present) {
      reasons.push(`${service} is ${health}, its registration ${registration.kind}`);
    }
  }
  for (const { service } of view.services.withdrawing) reasons.push(`${service} is not withdrawn yet`);
  for (const [service, failure] of view.services.failures) reasons.push(`${service}: ${failure}`);
  return { ok: reasons.length === 0, reasons };
}

/** One line for `systemctl status`. */
export function summary(view: View): string {
  const all = view.services.status;
  const up = all.filter(({ health }) => health === 'up').length;
  const registered = all.filter(({ registration }) => registration.kind === 'present').length;
  const drained = all.filter(({ drain }) => drain !== undefined).length;
  const away = sessions(view.pool).filter(({ state }) => state.kind !== 'connected');
  const leases = view.etcd.leases.filter(({ state }) => state.kind !== 'held');
  return [
    `${up} of ${all.length} services up, ${registered} registered`,
    ...(drained === 0 ? [] : [`${drained} drained`]),
    ...away.map(({ hosts, state }) => `ZooKeeper ${hosts} ${state.kind}`),
    ...leases.map(({ cluster, state }) => `etcd ${cluster} ${state.kind}`),
    ...(view.config.valid ? [] : ['the configuration has errors']),
  ].join('; ');
}
