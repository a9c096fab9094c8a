import { LateGenerator } from '../late.js';
import type { GeneratorKind } from '../types.js';
import { readServiceBlock, readTemplateBlock } from './blocks.js';

/** The `template` generator: its rules and its constructor. What does the work is read when there is some. */
export const templateKind: GeneratorKind = {
  check: (block) => readTemplateBlock(block).issues,
  checkService: (_service, block) => readServiceBlock(block).issues,
  create: (block, context) =>
    new LateGenerator({
      ...{ name: 'template', block },
      load: async (latest) => (await import('./create.js')).createTemplateGenerator(latest, context),
      checkBlock: (_service, own) => readServiceBlock(own).issues,
    }),
  createShadow: async (block, context) => {
    const { createTemplateGenerator } = await import('./create.js');
    const { PlanShadow } = await import('../planShadow.js');
    return new PlanShadow(createTemplateGenerator(block, context), { ...context, generator: 'template' });
  },
  render: async (block, view) => (await import('./preview.js')).preview(block, view),
  examine: async (block, view) => (await import('./preview.js')).examine(block, view),
  lint: async ({ block, view }) => (await import('./preview.js')).lintTemplates(block, view),
};
