/**
 * JSON text byte for byte as Ruby's `to_json` writes it: no spaces, `/` and U+2028 as they are, floats
 * in Ruby's form (1.0e+20). A number that is a safe integer is a Ruby Integer, any other a Float.
 * Undefined members are left out. Throws RangeError for what JSON cannot say (NaN, Infinity).
 */
export function rubyJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(rubyJson).join(',')}]`;
  switch (typeof value) {
    case 'number':
      return rubyNumber(value);
    case 'bigint':
      return value.toString();
    case 'string':
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? 'null' : rubyObject(value);
    case 'undefined':
    case 'function':
    case 'symbol':
      throw new RangeError(`JSON has no form for a ${typeof value}`);
  }
}

function rubyObject(value: object): string {
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${JSON.stringify(key)}:${rubyJson(member)}`);
  return `{${members.join(',')}}`;
}

function rubyNumber(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`JSON has no form for ${value}`);
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  // Float#to_s writes decimals from 1e-4 up to, not including, 1e15.
  if (value === 0 || (power >= -4 && power < 15)) return decimal(value);
  const sign = power < 0 ? '-' : '+';
  const digits = mantissa.includes('.') ? mantissa : `${mantissa}.0`;
  return `${digits}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

function decimal(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  // JavaScript writes 1e-4 to 1e-6 and anything below 1e21 in decimals too; only the ".0" is Ruby's.
  const text = String(value);
  return text.includes('.') ? text : `${text}.0`;
}
