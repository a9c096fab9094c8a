import type { Clock } from '@smartstack/agent';
import type { ChildrenSnapshot, ChildrenWatchOptions, SessionLease, ZkPath } from '@smartstack/registry';

import type { StatsdEvents, ZkPlace } from './statsdEvents.js';

/** A service's share of a session, of whose doings `events` hears; `isNew` when nobody had that session before. */
export function notedLease(
  lease: SessionLease,
  place: ZkPlace,
  isNew: boolean,
  { events, clock }: { readonly events: StatsdEvents; readonly clock: Clock },
): SessionLease {
  const { session } = lease;
  const since = clock.monotonic();
  events.zkClient(isNew ? 'created' : 'reused', place);
  let epoch = session.state.kind === 'connected' ? session.state.epoch : undefined;
  if (epoch !== undefined) events.zkConnected(0, place);
  const forget = session.onState((now) => {
    if (now.kind !== 'connected') return;
    if (epoch === undefined) events.zkConnected(clock.monotonic() - since, place);
    else if (now.epoch > epoch) events.zkExpired(place);
    epoch = now.epoch;
  });
  return {
    session,
    release: (options) => {
      forget();
      return lease.release(options);
    },
  };
}

/** What is told of the children of a service's path, noted for `events` as well; `onLook` begins a reading that no event led to. */
export function notedChildren(
  path: ZkPath,
  options: ChildrenWatchOptions,
  place: ZkPlace,
  { events, clock }: { readonly events: StatsdEvents; readonly clock: Clock },
): ChildrenWatchOptions & { readonly onLook: () => void } {
  let since: number | undefined = clock.monotonic();
  const tell = (snapshot: ChildrenSnapshot): void => {
    events.zkDiscovered(since === undefined ? undefined : clock.monotonic() - since, place, path);
    if (!snapshot.exists) events.zkChildrenFailed(place);
    let bytes = 0;
    for (const [name, { kind }] of snapshot.children) {
      bytes += name.length;
      if (kind === 'error') events.zkGetChildFailed();
    }
    events.zkChildren(bytes, place.hosts, path);
  };
  return {
    ...options,
    onLook: () => {
      since = clock.monotonic();
      events.zkPolled();
    },
    onEvent: () => {
      since ??= clock.monotonic();
      options.onEvent?.();
    },
    onSnapshot: (snapshot) => {
      if (events.isHeard) tell(snapshot);
      since = undefined;
      options.onSnapshot(snapshot);
    },
  };
}
