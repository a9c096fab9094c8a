import { createHash } from 'node:crypto';

/** Between the two names; never inside one. */
const separator = '@';
const suffix = '.json';
/** A name may have 255 bytes; the rest is for temporary files' additions. */
const maxPart = 90;

/**
 * The name of the file that holds one registration: `SERVICE@INSTANCE_ID.json`. Whatever is not a letter, a digit, `_`
 * or `-` (or a dot inside) is written as `%` and two hexadecimal digits for each byte, so that no name can leave the
 * folder, hide, or be taken for another. A part that gets too long is cut, and ends in `~` and a digest of all of it.
 */
export function registrationFileName(service: string, instanceId: string): string {
  return `${registrationFilePrefix(service)}${encodePart(instanceId)}${suffix}`;
}

/** With what the names of all files of a service begin. */
export function registrationFilePrefix(service: string): string {
  return `${encodePart(service)}${separator}`;
}

/**
 * False for a file that is no registration's: hidden, temporary, or anyone's. Whose it is, its content says; one that
 * belongs there has the name that `registrationFileName` gives to what it says.
 */
export function isRegistrationFileName(name: string): boolean {
  return /^[\w%-][\w.%~-]*@[\w%-][\w.%~-]*\.json$/.test(name);
}

function encodePart(text: string): string {
  const encoded = [...Buffer.from(text)]
    .map((byte, index) => {
      const character = String.fromCharCode(byte);
      if (/[\w-]/.test(character) || (character === '.' && index > 0)) return character;
      return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  if (encoded.length <= maxPart) return encoded;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 24);
  // Not in the middle of an escape.
  return `${encoded.slice(0, maxPart - digest.length - 1).replace(/%.?$/, '')}~${digest}`;
}
