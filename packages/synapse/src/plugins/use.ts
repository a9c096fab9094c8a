import { type ConfigIssue, describeError, validateConfig } from '@smartstack/agent';
import type { FindKind, Plugins } from '@smartstack/agent/plugins';

import { hasErrors, isMapping, issueAt, type Place, unknownKeys } from '../config/source.js';
import type { ModuleKind } from './kit.js';

/** What a block needs of its module: a version of it, the kind that it defines, and the block's options as that sees them. */
export interface ModuleUse<Kind> {
  readonly url: string;
  readonly kind: Kind;
  readonly options: unknown;
}

/** The module that the block at `place` names, or why it cannot be used, whatever of the module's throws. */
export async function useModule<Kind extends ModuleKind>(
  module: string,
  place: Place,
  ownKeys: readonly string[],
  plugins: Plugins,
  kindOf: FindKind<Kind>,
): Promise<{
  /** Undefined when the module cannot be used. */
  readonly kind?: Kind;
  /** Undefined when the module, or the block, cannot be used. */
  readonly use: ModuleUse<Kind> | undefined;
  readonly issues: readonly ConfigIssue[];
}> {
  const { parsed, path } = place;
  try {
    const loaded = await plugins.load(module, parsed.file);
    const kind = await kindOf(loaded, plugins);
    const { value, issues: found } = validateConfig(parsed, kind.schema, path);
    const block = path.reduce<unknown>((inner, key) => (Object(inner) as never)[key], parsed.value);
    const strange =
      kind.keys === undefined || !isMapping(block)
        ? []
        : unknownKeys(place, block, [...ownKeys, ...kind.keys]);
    const issues = [...found, ...strange];
    return { kind, use: hasErrors(issues) ? undefined : { url: loaded.url, kind, options: value }, issues };
  } catch (error) {
    const issue = issueAt({ parsed, path: [...path, 'module'] }, 'error', describeError(error));
    return { use: undefined, issues: [issue] };
  }
}
