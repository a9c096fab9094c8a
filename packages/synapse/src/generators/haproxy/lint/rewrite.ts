import { type Refusal, refusalOf } from '../desired/keywords.js';

/** ` if cond`, at the end of a line. */
const condition = String.raw`(?<cond> (?:if|unless) .+)?$`;
const renamed: readonly (readonly [from: RegExp, to: string])[] = [
  [/^option forceclose$/i, 'option httpclose'],
  [/^no option forceclose$/i, 'no option httpclose'],
  [/^redisp(atch)?$/i, 'option redispatch'],
  [/^(?:timeout )?clitimeout /i, 'timeout client '],
  [/^(?:timeout )?contimeout /i, 'timeout connect '],
  [/^(?:timeout )?srvtimeout /i, 'timeout server '],
  [/^block /i, 'http-request deny '],
  [/^monitor-net (\S+)$/i, 'http-request return status 200 if { src $1 }'],
  [/^dispatch (\S+)$/i, 'server dispatch $1'],
];
const added = new RegExp(
  String.raw`^(req|rsp)add (?<name>[^\s:]+):(?:\\ )*(?<value>(?:\\.|[^ ])+)${condition}`,
  'i',
);
/** The usual form of a deletion: the header's name, and whatever follows. */
const deleted = new RegExp(
  String.raw`^(req|rsp)i?del \^?(?<name>[A-Za-z0-9-]+)(?:\\:|:)?(?:\.\*|\\ ?\.\*)?\$?${condition}`,
  'i',
);

/** The line as later versions of HAProxy take it; undefined where that is for a person to decide. */
function rewriteLine(line: string): string | undefined {
  const text = line.trim().replace(/[ \t]+/g, ' ');
  for (const [from, to] of renamed) if (from.test(text)) return text.replace(from, to);
  const add = added.exec(text);
  if (add?.groups) {
    const value = (add.groups.value ?? '').replaceAll(/\\(.)/g, '$1');
    const word = /^[\w./:;,=+@-]+$/.test(value) ? value : `"${value.replaceAll(/["\\$]/g, String.raw`\$&`)}"`;
    return `${ruleOf(add[1])} add-header ${add.groups.name ?? ''} ${word}${add.groups.cond ?? ''}`;
  }
  const del = deleted.exec(text);
  if (del?.groups) return `${ruleOf(del[1])} del-header ${del.groups.name ?? ''}${del.groups.cond ?? ''}`;
  return undefined;
}

function ruleOf(side: string | undefined): string {
  return side?.toLowerCase() === 'rsp' ? 'http-response' : 'http-request';
}

/** A line that later versions of HAProxy refuse, with what to write in its place; undefined for any other line. */
export function retiredLine(line: string): Refusal | undefined {
  const known = refusalOf(line);
  const exact = rewriteLine(line);
  if (exact === undefined) return known;
  return { since: known?.since ?? '2.1', advice: `\`${exact}\`` };
}
