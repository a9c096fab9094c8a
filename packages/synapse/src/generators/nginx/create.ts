import { configOf } from '../blocks.js';
import type { Planning } from '../planShadow.js';
import type { GeneratorContext } from '../types.js';
import { readNginxBlock } from './blocks.js';
import { NginxGenerator } from './generator.js';
import { createNginxMetrics } from './nginxMetrics.js';

/** Creates the generator. Throws AgentError `config` on a block that has errors; does no IO yet. */
export function createNginxGenerator(
  block: unknown,
  { clock, logger, metrics }: Pick<GeneratorContext, 'clock' | 'logger' | 'metrics'>,
): Planning {
  return new NginxGenerator({
    ...{ clock, logger },
    config: configOf('nginx', readNginxBlock(block)),
    metrics: createNginxMetrics(metrics),
    random: Math.random,
  });
}
