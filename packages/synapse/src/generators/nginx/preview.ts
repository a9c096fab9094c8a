import type { Clock } from '@smartstack/agent';
import type { CatalogView } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import { resolveOnce } from '../hosts.js';
import type { Rendered } from '../types.js';
import { readNginxBlock } from './blocks.js';
import { desiredSections } from './desired.js';
import { renderFile } from './file/render.js';

/** The file for `view` as a synapse that has nothing of before would write it, unchecked, and what it lacks. */
export async function preview(block: unknown, view: CatalogView, clock: Clock): Promise<Rendered> {
  const config = configOf('nginx', readNginxBlock(block));
  const { addresses, problems } = await resolveOnce(view, clock);
  const { sections, issues } = desiredSections(config, view, addresses);
  return {
    text: renderFile(config, sections).text,
    notes: [
      ...[...problems].map(([host, problem]) => `warning: cannot resolve ${host}: ${problem}`),
      ...issues.map(({ service, instance, reason }) =>
        ['warning', service, instance, reason].filter((part) => part !== undefined).join(': '),
      ),
    ],
  };
}
