import type { Culprit } from './blame.js';
import type { DesiredState, Server, ServiceSections } from './types.js';

/** Something that HAProxy rejected and that is therefore not written. */
export interface QuarantineEntry {
  readonly culprit: Culprit;
  /** HAProxy's own words. */
  readonly reason: string;
  /** What stands in its place. */
  readonly kept: 'left-out' | 'last-good';
}

/** Lines that each service adds to the shared frontend, by service. */
export type SharedLines = ReadonlyMap<string, readonly string[]>;

interface Held extends QuarantineEntry {
  /** What was rejected; once it differs, it gets a new chance. */
  readonly fingerprint: string;
}

function keyOf(culprit: Culprit): string {
  switch (culprit.kind) {
    case 'server':
      return `server ${culprit.service}/${culprit.server}`;
    case 'service':
    case 'shared-lines':
      return `${culprit.kind} ${culprit.service}`;
    case 'base':
      return 'base';
  }
}

function fingerprintOf(culprit: Culprit, desired: DesiredState, shared: SharedLines): string | undefined {
  if (culprit.kind === 'base') return JSON.stringify([desired.base, desired.sharedFrontend]);
  if (culprit.kind === 'shared-lines') return JSON.stringify(shared.get(culprit.service));
  const sections = desired.services.find(({ service }) => service === culprit.service);
  if (sections === undefined) return undefined;
  if (culprit.kind === 'service') return JSON.stringify(sections);
  return JSON.stringify(sections.backend.servers.find(({ name }) => name === culprit.server));
}

/**
 * Keeps what HAProxy rejects out of the file: one server, one service's sections, its shared lines, or new
 * global sections. Each is held only as long as it is exactly what was rejected; the last accepted form stands in.
 */
export class Quarantine {
  readonly #held = new Map<string, Held>();
  #revision = 0;

  /** Grows with each culprit: a plan made at an earlier revision wants too much. */
  get revision(): number {
    return this.#revision;
  }

  get entries(): readonly QuarantineEntry[] {
    return [...this.#held.values()].map(({ culprit, reason, kept }) => ({ culprit, reason, kept }));
  }

  /**
   * Holds a culprit of `desired`. When no server of a service is left, its last good sections stand in: then
   * it is the service's own options that are wrong. Returns false when nothing new could be held.
   */
  hold(
    culprit: Culprit,
    reason: string,
    desired: DesiredState,
    lastGood: DesiredState | undefined,
    shared: SharedLines,
  ): boolean {
    const actual = culprit.kind === 'server' ? this.#widen(culprit, desired, lastGood) : culprit;
    const fingerprint = fingerprintOf(actual, desired, shared);
    const key = keyOf(actual);
    if (fingerprint === undefined || this.#held.has(key)) return false;
    if (actual.kind === 'base' && lastGood === undefined) return false;
    const replaces = actual.kind === 'base' || (actual.kind === 'service' && has(lastGood, actual.service));
    this.#revision += 1;
    this.#held.set(key, { culprit: actual, reason, fingerprint, kept: replaces ? 'last-good' : 'left-out' });
    return true;
  }

  /** The state without what is held. Forgets what has changed or vanished since it was rejected. */
  clear(desired: DesiredState, lastGood: DesiredState | undefined, shared: SharedLines): DesiredState {
    for (const [key, { culprit, fingerprint }] of this.#held) {
      if (fingerprintOf(culprit, desired, shared) !== fingerprint) this.#held.delete(key);
    }
    if (this.#held.size === 0) return desired;
    const services = desired.services.flatMap((sections) => this.#clearService(sections, lastGood));
    const { base, sharedFrontend } = this.#held.has('base') && lastGood !== undefined ? lastGood : desired;
    const dropped = new Set(
      [...shared].flatMap(([service, lines]) => (this.#held.has(`shared-lines ${service}`) ? lines : [])),
    );
    return {
      base,
      services,
      ...(sharedFrontend && {
        sharedFrontend: {
          ...sharedFrontend,
          lines: sharedFrontend.lines.filter((line) => !dropped.has(line.trim())),
        },
      }),
    };
  }

  #clearService(sections: ServiceSections, lastGood: DesiredState | undefined): readonly ServiceSections[] {
    const { service, backend } = sections;
    if (this.#held.has(`service ${service}`)) {
      const good = lastGood?.services.find((each) => each.service === service);
      return good === undefined ? [] : [good];
    }
    const servers = backend.servers.filter(({ name }) => !this.#held.has(`server ${service}/${name}`));
    if (servers.length === backend.servers.length) return [sections];
    return [{ ...sections, backend: { ...backend, servers } }];
  }

  /** Leaving out the last server of a service would end it: its last good form is better, where there is one. */
  #widen(
    culprit: Extract<Culprit, { kind: 'server' }>,
    desired: DesiredState,
    lastGood: DesiredState | undefined,
  ): Culprit {
    const { service } = culprit;
    const keys = serversOf(desired, service).map(({ name }) => keyOf({ ...culprit, server: name }));
    const rest = keys.filter((key) => key !== keyOf(culprit) && !this.#held.has(key));
    if (rest.length > 0 || serversOf(lastGood, service).length === 0) return culprit;
    for (const key of keys) this.#held.delete(key);
    return { kind: 'service', service };
  }
}

function serversOf(state: DesiredState | undefined, service: string): readonly Server[] {
  return state?.services.find((each) => each.service === service)?.backend.servers ?? [];
}

function has(state: DesiredState | undefined, service: string): boolean {
  return state?.services.some((each) => each.service === service) ?? false;
}
