import { readFile, stat } from 'node:fs/promises';
import { AgentError, describeError } from '@smartstack/agent';
import type { TemplateConfig } from './blocks.js';
import type { Compiled } from './clients/liquid.js';
import type { ServiceValues } from './values.js';

/** Larger ones are no templates. */
const maxBytes = 1_000_000;

/** A template file: read when it changed, rendered when it is asked. */
export class TemplateFile {
  readonly #path: string;
  #known: { readonly text: string; readonly compiled: Compiled } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws AgentError `template`, retriable: with file, line and column where something is wrong in it. */
  async render(services: readonly ServiceValues[]): Promise<string> {
    try {
      const { size } = await stat(this.#path);
      if (size > maxBytes) throw new Error(`${this.#path}: it is larger than ${maxBytes} bytes`);
      const text = await readFile(this.#path, 'utf8');
      const { compile } = await import('./clients/liquid.js');
      if (this.#known?.text !== text) this.#known = { text, compiled: compile(text, this.#path) };
      return await this.#known.compiled.render({ services });
    } catch (error) {
      throw new AgentError('template', describeError(error), { retriable: true });
    }
  }
}

/** Those of `services` that a template is given. */
export function chosen<T extends { readonly name: string } | string>(
  { services }: Pick<TemplateConfig, 'services'>,
  all: readonly T[],
): readonly T[] {
  if (services === undefined) return all;
  return all.filter((each) => services.includes(typeof each === 'string' ? each : each.name));
}
