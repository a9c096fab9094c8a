import { Outlines } from './outlines.js';
import type { Section, ServiceSections } from '../types.js';

/** The sections of a service without its servers: what only a new file changes. */
export interface ServiceOutline {
  readonly service: string;
  readonly frontend: Section | undefined;
  readonly backend: { readonly name: string; readonly lines: readonly string[] };
}

/** The sections of a state without its servers. */
export type Outline = readonly ServiceOutline[];

const outlines = new Outlines<ServiceSections, ServiceOutline>(
  ({ service, frontend, backend: { name, lines } }) => ({ service, frontend, backend: { name, lines } }),
  ({ service, frontend, backend: { name, lines } }, outline) =>
    lines === outline.backend.lines &&
    frontend === outline.frontend &&
    name === outline.backend.name &&
    service === outline.service,
);

/** The outline of a state's services: the very same for all states between which only servers changed. */
export function outlineOf(services: readonly ServiceSections[]): Outline {
  return outlines.of(services);
}
