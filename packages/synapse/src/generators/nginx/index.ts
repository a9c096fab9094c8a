import { LateGenerator } from '../late.js';
import type { GeneratorKind } from '../types.js';
import { readNginxBlock, readServiceBlock } from './blocks.js';

/** The `nginx` generator: its rules and its constructor. What does the work is read when there is some. */
export const nginxKind: GeneratorKind = {
  check: (block) => readNginxBlock(block).issues,
  checkService: (_service, block) => readServiceBlock(block).issues,
  create: (block, context) =>
    new LateGenerator({
      ...{ name: 'nginx', block },
      load: async (latest) => (await import('./create.js')).createNginxGenerator(latest, context),
      checkBlock: (_service, own) => readServiceBlock(own).issues,
    }),
  createShadow: async (block, context) => {
    const { createNginxGenerator } = await import('./create.js');
    const { PlanShadow } = await import('../planShadow.js');
    return new PlanShadow(createNginxGenerator(block, context), { ...context, generator: 'nginx' });
  },
  render: async (block, view, clock) => (await import('./preview.js')).preview(block, view, clock),
  examine: async (block, view, clock) => (await import('./examine.js')).examine(block, view, clock),
  lint: async (blocks, clock) => (await import('./lint.js')).lintNginx(blocks, clock),
};
