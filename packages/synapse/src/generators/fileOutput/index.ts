import { join } from 'node:path';
import type { BlockIssue } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import type { GeneratorContext, GeneratorKind } from '../types.js';
import { readFileOutputBlock, readServiceBlock } from './blocks.js';
import { createFileOutputMetrics } from './fileOutputMetrics.js';
import { contentOf, fileNameOf } from './format.js';
import { FileOutputGenerator } from './generator.js';
import { wantedFiles } from './wanted.js';

const config = (block: unknown) => configOf('file_output', readFileOutputBlock(block));

function nameIssues(service: string): readonly BlockIssue[] {
  const file = fileNameOf(service);
  return file.name === undefined ? [{ path: [], message: file.problem, severity: 'warning' }] : [];
}

function create(
  block: unknown,
  { clock, logger, metrics }: Pick<GeneratorContext, 'clock' | 'logger' | 'metrics'>,
): FileOutputGenerator {
  return new FileOutputGenerator({
    ...{ clock, logger },
    config: config(block),
    metrics: createFileOutputMetrics(metrics),
  });
}

/** The `file_output` generator: its rules and its constructor. */
export const fileOutputKind: GeneratorKind = {
  check: (block) => readFileOutputBlock(block).issues,
  checkService: (service, block) => [...readServiceBlock(block).issues, ...nameIssues(service)],
  jsonFolders: (block) => {
    const directory = readFileOutputBlock(block).config?.directory;
    return directory === undefined ? [] : [{ path: ['output_directory'], directory }];
  },
  create,
  createShadow: async (block, context) => {
    const { PlanShadow } = await import('../planShadow.js');
    return new PlanShadow(create(block, context), { ...context, generator: 'file_output' });
  },
  render: (block, view) => {
    const { directory } = config(block);
    const { files, problems } = wantedFiles(view);
    return Promise.resolve({
      text: files
        .map(({ name, instances }) => `# ${join(directory, name)}\n${contentOf(instances)}\n`)
        .join(''),
      notes: problems.map(({ service, problem }) => `warning: ${service}: ${problem}`),
    });
  },
};
