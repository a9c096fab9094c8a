import { dirname } from 'node:path';
import { Liquid, LiquidError, type Template } from 'liquidjs';

/** Bounds of one template: bytes of its text, milliseconds and memory units of a rendering. */
const limits = { parseLimit: 1_000_000, renderLimit: 5_000, memoryLimit: 50_000_000 };

/** A template that was understood. */
export interface Compiled {
  /** Throws TemplateError. */
  render(values: object): Promise<string>;
}

/** What is wrong in a template, with `file:line:column` before it. */
class TemplateError extends Error {}

/**
 * Understands a template in Liquid: data, conditions, loops and filters. It runs no code and no program, sees nothing
 * but the values it is given, and includes only files from the folder of `file`. Throws TemplateError.
 */
export function compile(text: string, file: string): Compiled {
  const engine = new Liquid({
    ...limits,
    root: dirname(file),
    ownPropertyOnly: true,
    strictFilters: true,
    // A name that is mistyped must not become an empty file.
    strictVariables: true,
    lenientIf: true,
  });
  let parsed: Template[];
  try {
    parsed = engine.parse(text, file);
  } catch (error) {
    throw placed(error, file);
  }
  return {
    render: async (values) => {
      try {
        return String(await engine.render(parsed, values));
      } catch (error) {
        throw placed(error, file);
      }
    },
  };
}

function placed(error: unknown, file: string): TemplateError {
  const message = (error instanceof Error ? error.message : String(error)).replace(
    /(, file:.*)?(, line:\d+, col:\d+)$/s,
    '',
  );
  if (!LiquidError.is(error)) return new TemplateError(`${file}: ${message}`);
  const { token } = error;
  const [line, column] = positionOf(token.input, token.begin);
  return new TemplateError(`${token.file ?? file}:${line}:${column}: ${message}`);
}

function positionOf(text: string, offset: number): readonly [number, number] {
  const before = text.slice(0, offset).split('\n');
  return [before.length, (before.at(-1)?.length ?? 0) + 1];
}
