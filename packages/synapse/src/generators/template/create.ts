import { configOf } from '../blocks.js';
import type { Planning } from '../planShadow.js';
import type { GeneratorContext } from '../types.js';
import { readTemplateBlock } from './blocks.js';
import { TemplateGenerator } from './generator.js';
import { createTemplateMetrics } from './templateMetrics.js';

/** Creates the generator. Throws AgentError `config` on a block that has errors; does no IO yet. */
export function createTemplateGenerator(
  block: unknown,
  { clock, logger, metrics }: Pick<GeneratorContext, 'clock' | 'logger' | 'metrics'>,
): Planning {
  return new TemplateGenerator({
    ...{ clock, logger },
    config: configOf('template', readTemplateBlock(block)),
    metrics: createTemplateMetrics(metrics),
  });
}
