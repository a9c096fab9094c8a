import type { Culprit } from './blame.js';
import { budgetLinesOf, withBudgets, withoutBudgets } from '../desired/budgetLines.js';
import { withSeparateNames } from '../desired/frontendNames.js';
import { withLatencies } from '../desired/latencyLines.js';
import { withTap } from '../desired/tapLines.js';
import { withoutLostTiers } from '../desired/tiers.js';
import type { DesiredState, Section, Server, ServiceSections } from '../types.js';

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
  /** A service whose last good servers stand in as well: those of now were rejected even under its last good lines. */
  readonly frozen: boolean;
}

/** What of a service the file says beside its servers. */
function linesOf({ service, frontend, backend }: ServiceSections): string {
  return JSON.stringify([service, frontend, backend.name, backend.lines]);
}

/**
 * The last good sections of a service, with the instances of now: a service whose new lines are bad goes on
 * following them. A server that was there before keeps its accepted form.
 */
function withServersOfNow(good: ServiceSections, servers: readonly Server[]): ServiceSections {
  const before = new Map(good.backend.servers.map((server) => [server.name, server]));
  const merged = servers.map((server) => {
    const accepted = before.get(server.name);
    if (accepted === undefined) return server;
    const { address, port, disabled, weight } = server;
    const isWeighed = weight !== undefined && accepted.weight !== undefined;
    return { ...accepted, address, port, disabled, ...(isWeighed && { weight }) };
  });
  return { ...good, backend: { ...good.backend, servers: merged } };
}

function keyOf(culprit: Culprit): string {
  switch (culprit.kind) {
    case 'server':
      return `server ${culprit.service}/${culprit.server}`;
    case 'service':
    case 'frontend':
    case 'shared-lines':
      return `${culprit.kind} ${culprit.service}`;
    case 'bind':
      return `bind ${culprit.section} ${culprit.line}`;
    case 'latencies':
    case 'budgets':
    case 'tap':
    case 'base':
      return culprit.kind;
  }
}

function fingerprintOf(
  culprit: Culprit,
  desired: DesiredState,
  shared: SharedLines,
  linesAlone: boolean,
): string | undefined {
  if (culprit.kind === 'latencies' || culprit.kind === 'tap') {
    const settings = desired[culprit.kind];
    return settings && JSON.stringify(settings);
  }
  if (culprit.kind === 'budgets')
    return desired.budgets && JSON.stringify(desired.services.map(budgetLinesOf));
  if (culprit.kind === 'base') return JSON.stringify([desired.base, desired.sharedFrontend]);
  if (culprit.kind === 'bind') {
    const section = sectionOf(desired, culprit.section);
    return section?.lines.some((line) => line.trim() === culprit.line) ? keyOf(culprit) : undefined;
  }
  if (culprit.kind === 'shared-lines') return JSON.stringify(shared.get(culprit.service));
  const sections = desired.services.find(({ service }) => service === culprit.service);
  if (sections === undefined) return undefined;
  if (culprit.kind === 'frontend') return JSON.stringify([sections.frontend]);
  if (culprit.kind === 'service') return linesAlone ? linesOf(sections) : JSON.stringify(sections);
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
    const key = keyOf(actual);
    const before = this.#held.get(key);
    const isService = actual.kind === 'service';
    const follows = isService && has(lastGood, actual.service);
    // Its last good lines with the instances of now are no better: then its last good form altogether.
    const frozen = isService && (culprit.kind === 'server' || before !== undefined);
    if (before !== undefined && (!follows || before.frozen)) return false;
    const fingerprint = fingerprintOf(actual, desired, shared, follows && !frozen);
    if (fingerprint === undefined) return false;
    const isHopeless =
      lastGood === undefined || fingerprintOf(actual, lastGood, shared, false) === fingerprint;
    if (actual.kind === 'base' && isHopeless) return false;
    const replaces =
      actual.kind === 'base' ||
      (isService && has(lastGood, actual.service)) ||
      (actual.kind === 'bind' && goodBinds(actual.section, actual.line, lastGood) !== undefined) ||
      (actual.kind === 'frontend' && goodFrontend(actual.service, desired, lastGood) !== undefined);
    this.#revision += 1;
    const kept = replaces ? 'last-good' : 'left-out';
    this.#held.set(key, { culprit: actual, reason, fingerprint, kept, frozen: frozen || !follows });
    return true;
  }

  /** Gives what was held for its addresses, or a limit, another chance: only trying tells whether they are free now. */
  retryAddresses(): void {
    for (const [key, { culprit }] of this.#held) {
      const isForNow =
        culprit.kind === 'frontend' ||
        culprit.kind === 'bind' ||
        (culprit.kind === 'shared-lines' && culprit.isAddress === true) ||
        (culprit.kind === 'base' && culprit.isLimit === true);
      if (isForNow) this.#held.delete(key);
    }
  }

  /** The state without what is held. Forgets what has changed or vanished since it was rejected. */
  clear(desired: DesiredState, lastGood: DesiredState | undefined, shared: SharedLines): DesiredState {
    for (const [key, { culprit, fingerprint, frozen }] of this.#held) {
      if (fingerprintOf(culprit, desired, shared, !frozen) !== fingerprint) this.#held.delete(key);
    }
    return this.without(desired, lastGood, shared);
  }

  /** The state without what is held, which stays held whatever that state is: it is not what is wanted. */
  without(desired: DesiredState, lastGood: DesiredState | undefined, shared: SharedLines): DesiredState {
    if (this.#held.size === 0) return desired;
    const services = desired.services.flatMap((sections) => this.#clearService(sections, lastGood));
    const { base, sharedFrontend } = this.#held.has('base') && lastGood !== undefined ? lastGood : desired;
    const dropped = new Set(
      [...shared].flatMap(([service, lines]) => (this.#held.has(`shared-lines ${service}`) ? lines : [])),
    );
    const cleared = withoutLostTiers({
      base: base.map((section) => this.#clearBinds(section, lastGood)),
      services,
      ...(sharedFrontend && {
        sharedFrontend: this.#clearBinds(
          {
            ...sharedFrontend,
            lines: sharedFrontend.lines.filter((line) => !dropped.has(line.trim())),
          },
          lastGood,
        ),
      }),
    });
    // What was good before an upgrade of HAProxy may have names that the new one refuses.
    const named = desired.separateNames === true ? withSeparateNames(cleared) : cleared;
    // Nor need it have lines of ours as is wanted now: they and their tables go together.
    const latencies = this.#held.has('latencies') ? undefined : desired.latencies;
    const counted = withLatencies(withoutBudgets(named), latencies);
    const isBound = desired.budgets === true && !this.#held.has('budgets');
    return withTap(isBound ? withBudgets(counted) : counted, this.#held.has('tap') ? undefined : desired.tap);
  }

  /** The section without the lines on whose addresses nobody can listen, with the last good ones in their place. */
  #clearBinds(section: Section, lastGood: DesiredState | undefined): Section {
    const { title } = section;
    const good = new Set<string>();
    const lines = section.lines.filter((line) => {
      if (!this.#held.has(keyOf({ kind: 'bind', section: title, line: line.trim() }))) return true;
      for (const each of goodBinds(title, line.trim(), lastGood) ?? []) good.add(each);
      return false;
    });
    if (lines.length === section.lines.length) return section;
    const known = new Set(lines.map((line) => line.trim()));
    return { title, lines: [...[...good].filter((line) => !known.has(line.trim())), ...lines] };
  }

  #clearService(sections: ServiceSections, lastGood: DesiredState | undefined): readonly ServiceSections[] {
    const { service, backend } = sections;
    const servers = backend.servers.filter(({ name }) => !this.#held.has(`server ${service}/${name}`));
    const held = this.#held.get(`service ${service}`);
    if (held !== undefined) {
      const good = lastGood?.services.find((each) => each.service === service);
      if (good === undefined) return [];
      return [held.frozen ? good : withServersOfNow(good, servers)];
    }
    if (this.#held.has(`frontend ${service}`)) {
      const frontend = goodFrontend(service, { services: [sections] }, lastGood);
      return [{ service, ...(frontend && { frontend }), backend: { ...backend, servers } }];
    }
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

/** A section that is no service's. */
function sectionOf({ base, sharedFrontend }: DesiredState, title: string): Section | undefined {
  return [...base, ...(sharedFrontend ? [sharedFrontend] : [])].find((section) => section.title === title);
}

/** What a section listened on before it was to listen on `line`; undefined when there was nothing else. */
function goodBinds(
  title: string,
  line: string,
  lastGood: DesiredState | undefined,
): readonly string[] | undefined {
  const good = lastGood === undefined ? undefined : sectionOf(lastGood, title);
  const binds = good?.lines.filter((each) => /^\s*bind\s/.test(each)) ?? [];
  return binds.length === 0 || binds.some((each) => each.trim() === line) ? undefined : binds;
}

/** The last good frontend of a service whose present one is held; none, if it was the same one. */
function goodFrontend(
  service: string,
  desired: Pick<DesiredState, 'services'>,
  lastGood: DesiredState | undefined,
): Section | undefined {
  const [now, good] = [desired, lastGood].map(
    (state) => state?.services.find((each) => each.service === service)?.frontend,
  );
  // Its name alone does not make it another one.
  return JSON.stringify(good?.lines) === JSON.stringify(now?.lines) ? undefined : good;
}

function serversOf(state: DesiredState | undefined, service: string): readonly Server[] {
  return state?.services.find((each) => each.service === service)?.backend.servers ?? [];
}

function has(state: DesiredState | undefined, service: string): boolean {
  return state?.services.some((each) => each.service === service) ?? false;
}
