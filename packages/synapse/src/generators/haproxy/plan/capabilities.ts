import type { Capabilities } from '../types.js';

/** A version as two numbers, from `2.6.12-1+deb12u4` or a whole `HAProxy version …` line. */
function majorMinor(version: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /(?:^|\s)v?(\d{1,3})\.(\d{1,3})(?=[.\s-]|$)/.exec(version) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

/** What an HAProxy of this version can do (haproxy's changelogs). A version that cannot be read counts as old: then reloads do everything. */
export function capabilitiesOf(version: string): Capabilities {
  const [major, minor] = majorMinor(version) ?? [0, 0];
  const isAtLeast = (wantedMajor: number, wantedMinor: number): boolean =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return {
    version,
    // 2.5 has them too, but behind `experimental-mode on`.
    dynamicServers: isAtLeast(2, 6),
    dynamicCookie: isAtLeast(3, 0),
    reloadAnswers: isAtLeast(2, 7),
  };
}
