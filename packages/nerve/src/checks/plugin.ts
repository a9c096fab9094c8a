import { describeError } from '@smartstack/agent';
import type * as z from 'zod';
import type { CheckResult } from '../health/health.js';
import { type Check, type CheckContext, defineCheck, failed } from './check.js';
import { definedBy } from '../plugins/kit.js';
import { pluginEntry } from '@smartstack/agent/plugins';
import { oneLine } from './oneLine.js';
import { silent } from './trace.js';

const maxReason = 400;
/** For a check that does not say how long it takes, in milliseconds. */
const usualDeadlineMs = 1_000;

/** A kind of check from a module, as far as it was looked at. */
export interface PluginKind {
  readonly schema: z.ZodType;
  readonly create: (options: unknown, context: CheckContext) => unknown;
}

/** The options of a check whose kind is in a module. */
export interface PluginOptions {
  readonly type: 'plug-in';
  readonly kind: string;
  readonly module: string;
  readonly name?: string | undefined;
  readonly rise: number;
  readonly fall: number;
  /** Undefined until the module was loaded: a version of it, and the options as it sees them. */
  readonly use:
    { readonly url: string; readonly options: unknown; readonly create: PluginKind['create'] } | undefined;
}

/** A check whose kind is in a module, among the kinds that are built in. */
export function pluginSchema(types: ReadonlySet<string>) {
  return pluginEntry('type', types, ({ type, module }): PluginOptions => ({
    ...{ type: 'plug-in', kind: type, module },
    ...{ rise: 1, fall: 1, use: undefined },
  }));
}

/** The kind of check that a module exports. Throws with what is wrong with it. */
export async function kindIn(exported: Readonly<Record<string, unknown>>): Promise<PluginKind> {
  const made = await definedBy(exported, { defineCheck });
  const { schema, create } = Object(made) as Partial<PluginKind>;
  if (typeof schema?.safeParse !== 'function' || typeof create !== 'function') {
    throw new Error('its default export is no check: expected what defineCheck returns, or a function of it');
  }
  return made as PluginKind;
}

/** Makes the check. Whatever the module does, short of never giving control back, is a failure of this check. */
export function createPluginCheck({ kind, use }: PluginOptions, context: CheckContext): Check {
  const usualName = `${context.service} ${kind}`;
  try {
    const made = Object(use?.create(use.options, context)) as Partial<Check>;
    // Once: they may be anything, also something that throws or changes.
    const { name, deadlineMs, probe } = made;
    if (typeof probe !== 'function')
      throw new Error('it makes no check: expected { name, deadlineMs, probe }');
    return {
      name: typeof name === 'string' && name !== '' ? name : usualName,
      deadlineMs: isDuration(deadlineMs) ? deadlineMs : usualDeadlineMs,
      probe: async (signal, trace) => {
        trace?.step('module', kind);
        return judged(await probe.call(made, signal, trace ?? silent));
      },
    };
  } catch (error) {
    const result = failed(oneLine(`the module: ${describeError(error)}`.slice(0, maxReason)));
    return { name: usualName, deadlineMs: usualDeadlineMs, probe: () => Promise.resolve(result) };
  }
}

/** No timer of Node.js lasts longer. */
function isDuration(ms: unknown): ms is number {
  return typeof ms === 'number' && ms > 0 && ms <= 2_000_000_000;
}

function judged(result: unknown): CheckResult {
  const { ok, reason } = Object(result) as { readonly ok?: unknown; readonly reason?: unknown };
  if (ok === true) return { ok };
  if (ok !== false) return failed('the module answers neither { ok: true } nor { ok: false, reason }');
  return failed(
    typeof reason === 'string' && reason !== '' ? oneLine(reason.slice(0, maxReason)) : 'without a reason',
  );
}
