import { mayAskOthers, withCertificates } from '../block/presets.js';
import type { Section, ServiceSections } from '../types.js';

/** Bases are values by which later steps know what did not change: the same one becomes the same one. */
const withThem = new WeakMap<readonly Section[], readonly Section[]>();

function changed(base: readonly Section[]): readonly Section[] {
  const known = withThem.get(base);
  if (known !== undefined) return known;
  const made = base.map((section) => {
    const lines = section.title === 'global' ? withCertificates(section.lines) : undefined;
    return lines === undefined ? section : { ...section, lines };
  });
  withThem.set(base, made);
  return made;
}

/**
 * The base for these frontends: where one of them has HAProxy ask for OCSP answers, our `global` lets it verify with
 * whom it speaks.
 */
export function baseFor(
  base: readonly Section[],
  services: readonly ServiceSections[],
  sharedFrontend: readonly string[],
): readonly Section[] {
  const asks =
    sharedFrontend.some(mayAskOthers) ||
    services.some(({ frontend }) => frontend?.lines.some(mayAskOthers) === true);
  return asks ? changed(base) : base;
}
