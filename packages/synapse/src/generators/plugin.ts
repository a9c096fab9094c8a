import { describeError, untilAborted, type ParsedFile } from '@smartstack/agent';
import { kindsOf, type Plugins } from '@smartstack/agent/plugins';

import type { BlockIssue, CatalogView, Generator, ReconcileOutcome } from '../catalog/types.js';
import { isMapping } from '../config/source.js';
import { moduleKind, type ModuleKind } from '../plugins/kit.js';
import { useModule } from '../plugins/use.js';
import type { GeneratorContext, GeneratorKind, Rendered } from './types.js';

/** A generator as a module makes it. */
interface ModuleGenerator {
  /** Brings the consumer in step with a view. What it throws is told, and it is called again. */
  readonly reconcile: (view: CatalogView, signal: AbortSignal) => unknown;
  /** Background work until the signal aborts; `wake` asks for a reconcile. */
  readonly run?: (wake: () => void, signal: AbortSignal) => Promise<void>;
  readonly status?: () => unknown;
}

/** A kind of generator from a module, as far as it was looked at. */
interface GeneratorModule extends ModuleKind {
  readonly create: (options: unknown, context: GeneratorContext) => unknown;
  /** The text that it would write. */
  readonly render?: (options: unknown, view: CatalogView) => unknown;
  /** Problems of a service's block, as texts. */
  readonly checkService?: (block: unknown) => unknown;
}

const generatorModuleOf = kindsOf((exported) =>
  moduleKind<GeneratorModule>(exported, 'generator', ['create']),
);

/**
 * Adds to `table` a generator for each block of the main file that names a module. One whose module cannot be used
 * has that as an error of its block.
 */
export async function addModuleGenerators(
  table: Map<string, GeneratorKind>,
  builtIn: ReadonlySet<string>,
  parsed: ParsedFile,
  plugins: Plugins,
): Promise<void> {
  if (!isMapping(parsed.value)) return;
  for (const [name, block] of Object.entries(parsed.value)) {
    if (builtIn.has(name) || notGenerators.has(name) || !isMapping(block)) continue;
    if (typeof block.module !== 'string') continue;
    const place = { parsed, path: [name] };
    const { kind, issues } = await useModule(block.module, place, ['module'], plugins, generatorModuleOf);
    const found = issues.map(({ path, message, severity }): BlockIssue => ({
      path: path.split('.').slice(1),
      message,
      severity,
    }));
    table.set(name, moduleGenerator(name, kind, found));
  }
}

/** Keys of the top level that are no generators, whatever is in them. */
const notGenerators = new Set(['services', 'service_conf_dir', 'statsd', 'file_output']);

function moduleGenerator(
  name: string,
  kind: GeneratorModule | undefined,
  issues: readonly BlockIssue[],
): GeneratorKind {
  const options = (block: unknown): unknown => kind?.schema.parse(block);
  return {
    // The file that it was loaded for is the one that is checked.
    check: () => issues,
    checkService: (_, block) => checkedService(kind, block),
    create: (block, context) =>
      new PluginGenerator(name, (one) => kind?.create(options(one), context), block),
    render: (block, view) => Promise.resolve(rendered(name, kind, () => options(block), view)),
  };
}

function checkedService(kind: GeneratorModule | undefined, block: unknown): readonly BlockIssue[] {
  const error = (message: string): BlockIssue => ({ path: [], message, severity: 'error' });
  try {
    const said = kind?.checkService?.(block) ?? [];
    return Array.isArray(said)
      ? said.map((message) => error(String(message)))
      : [error('the module says no list')];
  } catch (failure) {
    return [error(describeError(failure))];
  }
}

function rendered(
  name: string,
  kind: GeneratorModule | undefined,
  options: () => unknown,
  view: CatalogView,
): Rendered {
  if (kind?.render === undefined) return { text: '', notes: [`${name}: its module renders nothing`] };
  return { text: String(kind.render(options(), view)), notes: [] };
}

const outcomes: readonly unknown[] = ['noop', 'runtime', 'reload'];

/** Whatever the module throws is a failure of this generator, which is tried again. */
class PluginGenerator implements Generator {
  readonly name: string;
  readonly #create: (block: unknown) => unknown;
  #made: ModuleGenerator | Error;
  #replaced = new AbortController();

  constructor(name: string, create: (block: unknown) => unknown, block: unknown) {
    this.name = name;
    this.#create = create;
    this.#made = this.#make(block);
  }

  async run(wake: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { signal: replaced } = this.#replaced;
      const either = AbortSignal.any([signal, replaced]);
      const made = this.#made;
      if (!(made instanceof Error)) await made.run?.(wake, either);
      await untilAborted(either);
    }
  }

  async reconcile(view: CatalogView, signal: AbortSignal): Promise<ReconcileOutcome> {
    const made = this.#made;
    if (made instanceof Error) throw made;
    const outcome: unknown = await made.reconcile(view, signal);
    return { outcome: outcomes.includes(outcome) ? (outcome as 'noop') : 'runtime' };
  }

  /** Another generator takes the place of the one before. */
  configure(block: unknown): void {
    this.#made = this.#make(block);
    const before = this.#replaced;
    this.#replaced = new AbortController();
    before.abort();
  }

  checkBlock(): readonly BlockIssue[] {
    return [];
  }

  status(): unknown {
    if (this.#made instanceof Error) return { error: this.#made.message };
    try {
      return this.#made.status?.();
    } catch (error) {
      return { error: describeError(error) };
    }
  }

  #make(block: unknown): ModuleGenerator | Error {
    try {
      const made = Object(this.#create(block)) as Partial<ModuleGenerator>;
      if (typeof made.reconcile === 'function') return made as ModuleGenerator;
      return new Error('the module makes no generator: expected { reconcile }');
    } catch (error) {
      return new Error(`the module: ${describeError(error)}`);
    }
  }
}
