import { isOneLine } from '../block/schemaFields.js';

/** What `%{…}` in server options may stand for. */
export interface TemplateValues {
  readonly host: string;
  readonly port: number;
  readonly name: string;
}

const piece = /%(?:%|\{(host|port|name)\}|(.{0,12}))/gs;

/** Why `template` cannot be expanded, or undefined: Ruby's `%` accepts %{host}, %{port}, %{name} and %% here. */
export function templateProblem(template: string): string | undefined {
  if (!isOneLine(template)) return 'must be a single line without control characters';
  for (const [found, , stray] of template.matchAll(piece)) {
    if (stray !== undefined) {
      return `stray % at '${found}': write %% for a percent sign, or one of %{host}, %{port}, %{name}`;
    }
  }
  return undefined;
}

/** Expands a template that has no problem. */
export function expandTemplate(template: string, values: TemplateValues): string {
  if (!template.includes('%')) return template;
  return template.replace(piece, (_found, key?: keyof TemplateValues) =>
    key === undefined ? '%' : String(values[key]),
  );
}
