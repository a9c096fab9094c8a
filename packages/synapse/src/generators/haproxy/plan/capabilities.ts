import type { Capabilities, Release } from '../types.js';

/** A version as two numbers, from `2.6.12-1+deb12u4` or a whole `HAProxy version …` line. */
function releaseOf(version: string): Release | undefined {
  const [, major, minor] = /(?:^|\s)v?(\d{1,3})\.(\d{1,3})(?=[.\s-]|$)/.exec(version) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

/** True when `release` is `wanted` or a later one. */
export function isAtLeast([major, minor]: Release, [wantedMajor, wantedMinor]: Release): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** By version: a handful in the life of an agent, unless somebody makes them up. */
const known = new Map<string, Capabilities>();
const maxKnown = 100;

/**
 * What an HAProxy of this version can do. Each fact was read in the source of the first release that has it;
 * docs/compatibility.md says what was also run. A version that cannot be read counts as old: then reloads do
 * everything.
 *
 * 2.4 and 2.5 have `add server` too, but only after `experimental-mode on`, and it is not used there: 2.4's servers
 * cannot be checked, and it deletes none that came from the file (server.c: "Only servers added at runtime"); on
 * 2.5 the command is complete, but upstream calls it unfinished, marks the process as tainted by it, and has ended
 * its support of 2.5. A reload with its reason is what an operator of such a version expects.
 *
 * `wait srv-removable` (3.0) is not used either: it holds up every command behind it on the same connection,
 * whereas a `del server` that is tried again lets them pass.
 */
export function capabilitiesOf(version: string): Capabilities {
  const before = known.get(version);
  if (before !== undefined) return before;
  const capabilities = readCapabilities(version);
  if (known.size >= maxKnown) known.clear();
  known.set(version, capabilities);
  return capabilities;
}

function readCapabilities(version: string): Capabilities {
  const release = releaseOf(version) ?? [0, 0];
  const since = (major: number, minor: number): boolean => isAtLeast(release, [major, minor]);
  return {
    version,
    release,
    dynamicServers: since(2, 6),
    dynamicCookie: since(3, 0),
    // 3.4's `add server` does so by itself, 3.3's leaves it to the file's parser (cfgparse.c).
    addServerForgetsSni: since(3, 3) && !since(3, 4),
    // cfgparse-listen.c; 3.2 warns of it.
    separateNames: since(3, 3),
    counterArrays: since(2, 6),
  };
}

/** What a file may hold that processes of all these versions are to read. */
export function commonAbilities(
  versions: readonly string[],
): Pick<Capabilities, 'separateNames' | 'counterArrays'> {
  const abilities = versions.map(capabilitiesOf);
  return {
    separateNames: abilities.some(({ separateNames }) => separateNames),
    counterArrays: abilities.length > 0 && abilities.every(({ counterArrays }) => counterArrays),
  };
}
