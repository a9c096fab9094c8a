import { wideOptions } from './statOptions.js';

/** Whose calls are shown. */
export const caller = { type: 'string', describe: 'only what this one calls, and who calls it' } as const;

/** The options of `synapse edges`. */
export function edgesOptions(usual: string) {
  return {
    ...wideOptions(usual),
    local: { type: 'boolean', default: false, describe: 'this host only, not the fleet' },
  } as const;
}

/** The options of `synapse graph`. */
export function graphOptions(usual: string) {
  return {
    ...edgesOptions(usual),
    dot: { type: 'boolean', default: false, describe: 'for Graphviz: | dot -Tsvg' },
  } as const;
}
