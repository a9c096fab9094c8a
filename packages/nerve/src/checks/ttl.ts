import { seconds } from '../config/values.js';
import type { CheckResult } from '../health/health.js';
import type { Beat } from '../heartbeats/board.js';
import { defineCheck, failed } from './check.js';

/** Passes while the application's last heartbeat is younger than `ttl`, and does not say `fail`. */
export const ttlCheck = defineCheck({
  type: 'ttl',
  options: {
    ttl: seconds.describe('Seconds for which a heartbeat counts.'),
  },
  create: (options, { service, clock, heartbeats }) => ({
    name: options.name ?? `${service} ttl`,
    // Nothing is waited for.
    deadlineMs: 1000,
    probe: (_signal, trace) => {
      trace?.step('heartbeat', heartbeatName(options));
      return Promise.resolve(
        judge(heartbeats.last(service, heartbeatName(options)), options.ttl, clock.monotonic()),
      );
    },
  }),
});

/** What a heartbeat calls a check: its name, or `ttl` where it has none. */
export function heartbeatName({ name }: { readonly name: string | undefined }): string {
  return name ?? ttlCheck.type;
}

function judge(beat: Beat | undefined, ttl: number, now: number): CheckResult {
  if (beat === undefined) return failed('no heartbeat yet');
  const said = beat.note === '' ? '' : `: ${beat.note}`;
  const age = (now - beat.at) / 1000;
  if (age >= ttl) return failed(`the last heartbeat is ${age.toFixed(1)} s old, more than ${ttl} s`);
  return beat.status === 'fail' ? failed(`the application says that it fails${said}`) : { ok: true };
}
