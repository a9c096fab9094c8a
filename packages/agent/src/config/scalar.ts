/** What a plain (unquoted, untagged) scalar means. Dates stay the text they are. */
export type ScalarValue = string | number | bigint | boolean | null;

// Every pattern is a fact about Psych 4 (YAML 1.1 as the Ruby pair reads it), not about YAML.
const wordLike = /^[^\d.:-]?[\p{Alphabetic}_ \t\r\n\f\v!@#$%^&*(){}<>|/\\~;=]+/mu;
const sexagesimal = /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}$/;
const sexagesimalFloat = /^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}\.[0-9_]*$/;
const float = /^[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?$/;
const integer =
  /^(?:[-+]?0b[01_,]+|[-+]?0[0-7_,]+|[-+]?(?:0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|[-+]?0x[0-9a-fA-F_,]+)$/;

/**
 * Reads a plain scalar as Ruby's Psych does: `yes` is true, `0777` is 511, `12:30` is 45000, `1_000`
 * is 1000, `1e3` is text. Integers beyond 2^53 become bigints. Symbols (`:a`) and dates stay text.
 */
export function readScalar(text: string): ScalarValue {
  if (text === '') return null;
  if (wordLike.test(text) || text.includes('\n')) return readWord(text);
  if (/^\+?\.inf$/i.test(text)) return Infinity;
  if (/^-\.inf$/i.test(text)) return -Infinity;
  if (/^\.nan$/i.test(text)) return NaN;
  if (isSymbol(text)) return text;
  if (sexagesimal.test(text)) return readSexagesimal(text);
  if (sexagesimalFloat.test(text)) return readSexagesimalFloat(text);
  if (float.test(text)) return readFloat(text);
  if (integer.test(text)) return readInteger(text);
  return text;
}

/** True for what Psych makes a Ruby symbol of. */
export function isSymbol(text: string): boolean {
  return /^:./.test(text);
}

function readWord(text: string): ScalarValue {
  if (/^.{6}/su.test(text) || /^[^ytonf~]/im.test(text)) return text;
  if (text === '~' || /^null$/im.test(text)) return null;
  if (/^(yes|true|on)$/im.test(text)) return true;
  if (/^(no|false|off)$/im.test(text)) return false;
  return text;
}

/** A safe integer as a number, anything larger as a bigint. */
function narrow(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

function parts(text: string): readonly { readonly digits: string; readonly scale: number }[] {
  return text.split(':').map((digits, index) => ({ digits, scale: 60 ** Math.abs(index - 2) }));
}

function readSexagesimal(text: string): number | bigint {
  // Ruby's to_i stops at a doubled underscore.
  const toInteger = (digits: string): bigint => {
    const match = /^([-+]?)(\d+(?:_\d+)*)/.exec(digits);
    const value = BigInt((match?.[2] ?? '0').replaceAll('_', ''));
    return match?.[1] === '-' ? -value : value;
  };
  return narrow(parts(text).reduce((sum, part) => sum + toInteger(part.digits) * BigInt(part.scale), 0n));
}

function readSexagesimalFloat(text: string): number {
  const toFloat = (digits: string): number => {
    const match = /^[-+]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?/.exec(digits);
    return Number((match?.[0] ?? '0').replaceAll('_', ''));
  };
  return parts(text).reduce((sum, part) => sum + toFloat(part.digits) * part.scale, 0);
}

function readFloat(text: string): number | string {
  if (/^[-+]?\.$/.test(text)) return text;
  const plain = text.replaceAll(/[,_]/g, '').replace(/\.([Ee]|$)/, '$1');
  const value = Number(plain);
  // Ruby raises here (`.e+3`); text is what the author must have meant.
  return Number.isNaN(value) ? text : value;
}

function readInteger(text: string): number | bigint | string {
  const plain = text.replaceAll(/[,_]/g, '');
  const match = /^([-+]?)(0x|0b|0(?=.))?(.*)$/i.exec(plain);
  const [, sign = '', prefix = '', digits = ''] = match ?? [];
  if (digits === '') return text;
  const base = prefix === '0' ? '0o' : prefix;
  const value = BigInt(`${base}${digits}`);
  return narrow(sign === '-' ? -value : value);
}
