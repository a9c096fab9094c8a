import type { DesiredState, Section } from '../types.js';

/** An address of a `bind` line that is an IP address, any address, or localhost, with its port. */
export interface Bind {
  /** Line of the file, counted from 1. */
  readonly line: number;
  /** Title of the section that it stands in. */
  readonly section: string;
  readonly host: string;
  readonly port: number;
  /** An IPv6 address that takes IPv4 connections as well. */
  readonly bothFamilies: boolean;
  /** It may be an address that this machine does not have. */
  readonly isForeign: boolean;
}

/** Ports of a range that are looked at; nobody means more. */
const maxRange = 100;

/** Sections that listen for clients. */
const listening = /^(frontend|listen)\s/;
const place = /^(?:ipv[46]@)?(?:\[([0-9A-Fa-f:.]*)\]|([^/@]*)):(\d{1,5})(?:-(\d{1,5}))?$/;
const numeric = /^[0-9A-Fa-f:.]+$/;

/** A range of ports, or a socket. */
export interface Place {
  readonly host: string;
  readonly first: number;
  readonly last: number;
}

function hostOf(text: string): string | undefined {
  if (text === '' || text === '*') return '0.0.0.0';
  if (text === 'localhost') return '127.0.0.1';
  return numeric.test(text) ? text : undefined;
}

/** Where an address of a `bind` line is; a socket is a host of its own. */
export function placeOf(address: string): Place {
  const [, bracketed, plain = '', first = '', last = first] = place.exec(address) ?? [];
  if (first === '') return { host: address.replace(/^unix@/, ''), first: 0, last: 0 };
  const host = bracketed ?? plain;
  return { host: hostOf(host) ?? host, first: Number(first), last: Number(last) };
}

/** Whether it is of several ports. */
export function isRange(address: string): boolean {
  return /:\d{1,5}-\d{1,5}$/.test(address);
}

/** Whether two addresses of `bind` lines have a port of one host, or a socket, in common: HAProxy listens there twice. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  // Of a range that ends before it begins HAProxy makes none.
  return a.host === b.host && Math.max(a.first, b.first) <= Math.min(a.last, b.last);
}

/** What the frontends in the text of a haproxy.cfg listen on: addresses only, no sockets and no host names. */
export function readBinds(text: string): readonly Bind[] {
  let isListening = false;
  let section = '';
  return text.split('\n').flatMap((content, index): Bind[] => {
    if (/^[^\s#]/.test(content)) {
      isListening = listening.test(content);
      section = content.trim();
    }
    if (!isListening || !content.includes('bind')) return [];
    const [keyword, addresses = '', ...options] = content.trim().split(/\s+/);
    if (keyword !== 'bind' || options.includes('namespace')) return [];
    return addresses.split(',').flatMap((address): Bind[] => {
      const [, bracketed, plain = '', first = '', last = first] = place.exec(address) ?? [];
      const host = hostOf(bracketed ?? plain);
      if (first === '' || host === undefined) return [];
      const count = Math.min(Number(last) - Number(first) + 1, maxRange);
      return Array.from({ length: Math.max(count, 0) }, (_, offset) => ({
        ...{ line: index + 1, section, host, port: Number(first) + offset },
        bothFamilies: options.includes('v4v6'),
        isForeign: options.includes('transparent'),
      }));
    });
  });
}

/** The ports that an HAProxy listens on which loaded `state`. */
export function portsOf({ base, services, sharedFrontend }: DesiredState): readonly number[] {
  const frontends = [...services.map(({ frontend }) => frontend), sharedFrontend];
  const sections: readonly Section[] = [...base, ...frontends.filter((each) => each !== undefined)];
  const text = sections.map(({ title, lines }) => [title, ...lines.map((line) => `\t${line}`)].join('\n'));
  return readBinds(text.join('\n')).map(({ port }) => port);
}
