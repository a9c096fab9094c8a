import { adviceOnRetired } from '../desired/keywords.js';

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

/** The line as HAProxy 2.1 and later take it; undefined where that is for a person to decide. */
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

/** What to write in place of a line that HAProxy 2.1 and later refuse; undefined for any other line. */
export function proposal(line: string): string | undefined {
  const advice = adviceOnRetired(line);
  const exact = rewriteLine(line);
  if (advice === undefined && exact === undefined) return undefined;
  return exact === undefined ? (advice ?? '') : `\`${exact}\``;
}
