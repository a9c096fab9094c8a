import type { Configuration } from '../config/load.js';
import type { Generator } from '../catalog/types.js';
import { shadowGauge } from '../generators/differences.js';
import type { GeneratorContext, GeneratorKind, GeneratorTable } from '../generators/types.js';
import type { Discovery } from '../watchers/index.js';

/** A generator that does nothing at all, in place of one that cannot run without writing. */
function idle(name: string): Generator {
  return {
    name,
    run: (_wake, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    reconcile: () => Promise.resolve({ outcome: 'noop' }),
    configure: () => undefined,
    checkBlock: () => [],
    status: () => ({ shadow: true, compared: false }),
  };
}

/** The generators as `--shadow` runs them: those that compare, and for all others none that writes. */
export async function shadowsOf(
  generators: GeneratorTable,
  { main }: Configuration<Discovery>,
  context: GeneratorContext,
): Promise<GeneratorTable> {
  const gauge = shadowGauge(context.metrics);
  const shadows = new Map<string, GeneratorKind>();
  for (const [name, kind] of generators) {
    const block = main.generators.get(name);
    const logger = context.logger.child({ component: name });
    const made =
      block === undefined ? undefined : await kind.createShadow?.(block, { ...context, logger, gauge });
    if (block !== undefined && made === undefined)
      logger.warn('this generator has no shadow, and does nothing', { generator: name });
    // One that begins to be configured later needs a restart in any case.
    shadows.set(name, { ...kind, create: () => made ?? idle(name) });
  }
  return shadows;
}
