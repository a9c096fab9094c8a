import type { Instance } from '@smartstack/registry';
import type { CatalogView, ServiceView } from '../../catalog/types.js';
import { readServiceBlock } from './blocks.js';
import { fileNameOf } from './format.js';
import type { WantedFile } from './outputFolder.js';

/** Why a service has no file, or keeps the one that it has. */
interface Problem {
  readonly service: string;
  readonly problem: string;
}

/** Which files there should be. */
export interface Wanted {
  readonly files: readonly WantedFile[];
  /** Files to leave as they are: what should be in them is not known. */
  readonly kept: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}

/** Works out the files for a view. Pure. */
export function wantedFiles({ services, unreadable = [] }: CatalogView): Wanted {
  const files: WantedFile[] = [];
  const kept = new Set<string>();
  const problems: Problem[] = [];
  const keep = (service: string): void => {
    const { name } = fileNameOf(service);
    if (name !== undefined) kept.add(name);
  };
  unreadable.forEach(keep);
  for (const view of services) {
    const { config, issues } = readServiceBlock(view.blocks.file_output ?? {});
    if (config === undefined) {
      keep(view.name);
      const reasons = issues.map(({ path, message }) => `${['file_output', ...path].join('.')}: ${message}`);
      problems.push({ service: view.name, problem: reasons.join('; ') });
      continue;
    }
    if (config.disabled) continue;
    const file = fileNameOf(view.name);
    if (file.name === undefined) problems.push({ service: view.name, problem: file.problem });
    else if (isUnknown(view) && view.instances.length === 0) keep(view.name);
    else files.push({ name: file.name, instances: toldOf(view), onlyIfAbsent: isUnknown(view) });
  }
  return { files, kept, problems };
}

/** Without those that are held where HAProxy checks them: nobody checks what a program reads in a file. */
function toldOf({ instances }: ServiceView): readonly Instance[] {
  return instances.some(({ held }) => held) ? instances.filter(({ held }) => !held) : instances;
}

/** A file from before the start of this agent knows better: nothing was told yet, or the source was never seen filled. */
function isUnknown({ source, instances }: ServiceView): boolean {
  return source === 'pending' || (source === 'previous' && instances.length === 0);
}
