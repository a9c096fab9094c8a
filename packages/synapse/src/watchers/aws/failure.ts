import { describeError } from '@smartstack/agent';

const longest = 300;

/**
 * What AWS, or the way to it, has against a question. The same words for the same reason: codes that are another one
 * in each answer are left out.
 */
export function awsFailure(error: unknown): Error {
  const { name } = Object(error) as { readonly name?: unknown };
  const said = describeError(error)
    .replace(/\s*Encoded authorization failure message:.*$/s, '')
    .replaceAll(/\s*\(?Request ?ID:[^),]*\)?/gi, '')
    .replaceAll(/\s+/g, ' ')
    .slice(0, longest);
  const isNamed = typeof name === 'string' && name !== 'Error' && !said.includes(name);
  return new Error(isNamed ? `${name}: ${said}` : said);
}
