import { mayAskOthers, withCertificates } from '../block/presets.js';
import { Memo } from './memo.js';
import { type Outline, outlineOf } from './outline.js';
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

/** A frontend that did not change is the same value: it is read once, however many there are. */
const asking = new WeakMap<Section, boolean>();

function asks(frontend: Section | undefined): boolean {
  if (frontend === undefined) return false;
  const known = asking.get(frontend);
  if (known !== undefined) return known;
  const found = frontend.lines.some(mayAskOthers);
  asking.set(frontend, found);
  return found;
}

const someAsk = new Memo<Outline, boolean>();

/**
 * The base for these frontends: where one of them has HAProxy ask for OCSP answers, our `global` lets it verify with
 * whom it speaks.
 */
export function baseFor(
  base: readonly Section[],
  services: readonly ServiceSections[],
  sharedFrontend: readonly string[],
): readonly Section[] {
  const outline = outlineOf(services);
  const isAsked =
    sharedFrontend.some(mayAskOthers) ||
    someAsk.of(outline, [], () => outline.some(({ frontend }) => asks(frontend)));
  return isAsked ? changed(base) : base;
}
