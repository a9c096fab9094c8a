import type { JsonSchema } from './schemas.ts';

const words: Readonly<Record<string, string>> = {
  integer: 'number',
  number: 'number',
  string: 'text',
  boolean: 'true, false',
  array: 'list',
  object: 'map',
  null: 'null',
};

/** Whether it takes any text, or so many that a number in quotes is just one of them. */
function isFreeText(schema: JsonSchema): boolean {
  if (schema.type === 'string')
    return (
      typeof schema.pattern !== 'string' ||
      /[A-Za-z]-|\\w/.test(schema.pattern) ||
      !/\\d|0-9/.test(schema.pattern)
    );
  return (schema.anyOf ?? []).some(isFreeText);
}

/** What a value may be, in a word or two: `text`, `number`, `list of text`, "`http` or `tcp`". */
function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) {
    const types = [...new Set(variants.map(typeOf))].filter((type) => !/^`?null`?$|^any$/.test(type));
    // Numbers may also stand in quotes; that is not worth a word.
    const isOnlyQuoted = variants.every((one) => !isFreeText(one));
    const shown = types.includes('number') && isOnlyQuoted ? types.filter((type) => type !== 'text') : types;
    return shown.join(' or ');
  }
  const { type } = schema;
  if (typeof type === 'object') return typeOf({ anyOf: type.map((each) => ({ type: each })) });
  if (type === 'array' && schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  return words[type ?? ''] ?? 'any';
}

/** The object behind a schema: itself, each of a list, or the alternative to null. */
function objectOf(schema: JsonSchema): JsonSchema | undefined {
  if (schema.properties !== undefined) return schema;
  if (schema.items !== undefined) return objectOf(schema.items);
  return schema.anyOf?.map(objectOf).find((each) => each !== undefined);
}

/** Follows `haproxy`, `presets` or `checks[http]` (the variant whose type or method is http). */
function descend(schema: JsonSchema, path: string): JsonSchema {
  let here = schema;
  for (const part of path.split('.').filter((each) => each !== '')) {
    const [, key = '', variant] = /^([^[]+)(?:\[(.+)\])?$/.exec(part) ?? [];
    const next = objectOf(here)?.properties?.[key];
    if (next === undefined) throw new Error(`no key ${part} in ${String(schema.title)}`);
    here = next;
    if (variant === undefined) continue;
    const list = here.anyOf?.find((each) => each.items !== undefined) ?? here;
    const alternatives = list.items?.oneOf ?? list.items?.anyOf ?? list.oneOf ?? [];
    const variants = alternatives.flatMap((one) => one.oneOf ?? [one]);
    const found = variants.find(({ properties }) =>
      [properties?.type?.const, properties?.method?.const].includes(variant),
    );
    if (found === undefined) throw new Error(`no variant ${part} in ${String(schema.title)}`);
    here = found;
  }
  return here;
}

function cell(text: string): string {
  return text.replaceAll(/[|<]/g, '\\$&').replaceAll('\n', ' ');
}

function defaultOf(schema: JsonSchema, required: boolean): string {
  if (required) return '**required**';
  const value = schema.default;
  if (value === undefined || (typeof value === 'object' && value !== null)) return '';
  return value === '' ? '' : `\`${JSON.stringify(value).replaceAll('"', '')}\``;
}

/** A Markdown table of the keys at `path` of a schema: name, type, default, meaning. Throws on an unknown path. */
export function keyTable(schema: JsonSchema, path: string): string {
  const object = objectOf(descend(schema, path));
  if (object?.properties === undefined) throw new Error(`nothing with keys at ${path}`);
  const rows = Object.entries(object.properties).map(([key, value]) => {
    const required = object.required?.includes(key) ?? false;
    const cells = [`\`${key}\``, typeOf(value), defaultOf(value, required), value.description ?? ''];
    return `| ${cells.map(cell).join(' | ')} |`;
  });
  return ['| key | value | default | |', '|---|---|---|---|', ...rows].join('\n');
}

const section = /(<!-- keys: (\S+)(?: (\S+))? -->)[^]*?(<!-- end of keys -->)/g;

/** Fills every `<!-- keys: FILE PATH -->` section of a Markdown text with its table. */
export function fillTables(text: string, schemas: Readonly<Record<string, JsonSchema>>): string {
  return text.replaceAll(section, (_, begin: string, file: string, path: string | undefined, end: string) => {
    const schema = schemas[file];
    if (schema === undefined) throw new Error(`no schema ${file}`);
    return `${begin}\n\n${keyTable(schema, path ?? '')}\n\n${end}`;
  });
}
