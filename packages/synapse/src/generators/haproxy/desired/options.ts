import type { Checked } from '../../names.js';
import { optionTable, type OptionSpec } from './optionTable.js';
import { expandTemplate, templateProblem, type TemplateValues } from './template.js';

/** One keyword of a server line with the words that belong to it. */
export interface Option {
  readonly keyword: string;
  readonly values: readonly string[];
  /** Undefined for a keyword that is not in our table. */
  readonly spec: OptionSpec | undefined;
}

/** HAProxy refuses a line of more than 64 words; name, address, id, cookie, weight and disabled need some. */
const maxWords = 48;
const maxLength = 4096;
/** Printable ASCII without what HAProxy's file or command line gives a meaning: comments, variables, quotes, separators. */
const plainWord = /^[A-Za-z0-9_.:,/=+*()[\]!?@&|~^%-]+$/;

/** True when a word means the same in the file and in a command. */
export function isPlainWord(word: string): boolean {
  return plainWord.test(word);
}

/** Splits on white space, as HAProxy does for words without quotes. */
export function splitWords(text: string): readonly string[] {
  return text.split(/[ \t]+/).filter((word) => word !== '');
}

/** Groups words into keywords and their values. An unknown keyword takes all words up to the next known one. */
export function parseOptions(words: readonly string[]): readonly Option[] {
  const options: Option[] = [];
  for (let at = 0; at < words.length;) {
    const keyword = words[at] ?? '';
    const spec = optionTable.get(keyword);
    let end = at + 1;
    if (spec !== undefined) end = Math.min(words.length, end + spec.args);
    else while (end < words.length && !optionTable.has(words[end] ?? '')) end += 1;
    options.push({ keyword, values: words.slice(at + 1, end), spec });
    at = end;
  }
  return options;
}

/** The words of options, in order. */
export function joinOptions(options: readonly Option[]): readonly string[] {
  const words: string[] = [];
  for (const { keyword, values } of options) words.push(keyword, ...values);
  return words;
}

/** The value of the last `keyword`, which is the one HAProxy uses. */
export function lastValue(options: readonly Option[], keyword: string): string | undefined {
  return options.findLast((option) => option.keyword === keyword)?.values[0];
}

/** Removes `keyword` with its value, wherever it stands. */
export function withoutOption(options: readonly Option[], keyword: string): readonly Option[] {
  return options.some((option) => option.keyword === keyword)
    ? options.filter((option) => option.keyword !== keyword)
    : options;
}

function refusal({ keyword, values, spec }: Option): string | undefined {
  const word = JSON.stringify(keyword);
  if (spec === undefined) return `option ${word} is not one that an instance may bring`;
  if (spec.refused !== undefined) return `option ${word} names ${spec.refused}`;
  const [value] = values;
  if (spec.args === 1 && value === undefined) return `option ${word} lacks its value`;
  if (value !== undefined && spec.shape?.(value) === false) {
    return `option ${word} cannot have the value ${JSON.stringify(value)}`;
  }
  return undefined;
}

/**
 * Expands and checks the options an instance brings. With `any`, keywords are free but words stay harmless.
 * `dropped` is a keyword that something else decides: it is left out, whatever its value.
 */
export function registryOptions(
  text: string,
  values: TemplateValues,
  trust: 'strict' | 'any',
  dropped?: string,
): Checked<readonly Option[]> {
  if (typeof text !== 'string') return { reason: 'haproxy_server_options is not a string' };
  if (text.length > maxLength)
    return { reason: `haproxy_server_options is longer than ${maxLength} characters` };
  const problem = templateProblem(text);
  if (problem !== undefined) return { reason: `haproxy_server_options: ${problem}` };
  const words = splitWords(expandTemplate(text, values));
  if (words.length > maxWords) return { reason: `haproxy_server_options has more than ${maxWords} words` };
  const hostile = words.find((word) => !isPlainWord(word));
  if (hostile !== undefined) {
    return {
      reason: `haproxy_server_options: ${JSON.stringify(hostile)} holds characters that are not allowed`,
    };
  }
  const options = parseOptions(words).filter(({ keyword }) => keyword !== dropped);
  const reason = trust === 'any' ? undefined : options.map(refusal).find((found) => found !== undefined);
  return reason === undefined ? { value: options } : { reason: `haproxy_server_options: ${reason}` };
}

/** What a server line stands in. */
export interface LineContext {
  /** Its backend is in `mode http`. */
  readonly http: boolean;
  /** `ssl-server-verify none` in global. */
  readonly serverVerifyNone: boolean;
}

/**
 * What only the whole line shows: combinations for which HAProxy refuses the file. `all` holds the
 * default-server's, the operator's and the instance's options, `own` the instance's.
 */
export function combinationProblem(
  own: readonly Option[],
  all: readonly Option[],
  { http, serverVerifyNone }: LineContext,
): string | undefined {
  const has = (options: readonly Option[], keyword: string): boolean =>
    options.some((option) => option.keyword === keyword);
  if (joinOptions(all).length > maxWords) return `its server line has more than ${maxWords} words of options`;
  const httpOnly = own.find(({ keyword, values }) => httpOptions.has(keyword) || values[0] === 'layer7');
  if (!http && httpOnly !== undefined) {
    return `haproxy_server_options: option "${joinOptions([httpOnly]).join(' ')}" needs a backend in mode http`;
  }
  const verified = lastValue(all, 'verify') === 'none' || has(all, 'ca-file') || serverVerifyNone;
  const asksTls = has(own, 'ssl') || has(own, 'check-ssl') || lastValue(own, 'verify') === 'required';
  if (asksTls && (has(all, 'ssl') || has(all, 'check-ssl')) && !verified) {
    return 'haproxy_server_options: option "ssl" without "verify none" needs a ca-file in server_options';
  }
  if (has(own, 'agent-check') && !has(all, 'agent-port')) {
    return 'haproxy_server_options: option "agent-check" needs "agent-port"';
  }
  return undefined;
}

const httpOptions: ReadonlySet<string> = new Set(['cookie', 'redir']);
