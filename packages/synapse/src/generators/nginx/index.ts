import { configOf } from '../blocks.js';
import { HostResolver } from '../hosts.js';
import type { GeneratorKind } from '../types.js';
import { readNginxBlock, readServiceBlock } from './blocks.js';
import { desiredSections } from './desired.js';
import { NginxGenerator } from './generator.js';
import { createNginxMetrics } from './nginxMetrics.js';
import { renderFile } from './render.js';

const config = (block: unknown) => configOf('nginx', readNginxBlock(block));

/** How long host names are looked up for `render`, in milliseconds. */
const lookupMs = 5_000;

/** The `nginx` generator: its rules and its constructor. */
export const nginxKind: GeneratorKind = {
  check: (block) => readNginxBlock(block).issues,
  checkService: (_service, block) => readServiceBlock(block).issues,
  create: (block, { clock, logger, metrics }) =>
    new NginxGenerator({
      ...{ clock, logger },
      config: config(block),
      metrics: createNginxMetrics(metrics),
      random: Math.random,
    }),
  render: async (block, view, clock) => {
    const hosts = new HostResolver({
      ...{ clock, deadlineMs: lookupMs, retryMs: 2 * lookupMs, onChange: () => undefined },
    });
    const names = view.services.flatMap(({ instances }) => instances.map(({ host }) => host));
    const addresses = await hosts.resolve(names);
    // Forgets the names, and with them the timers that would ask again.
    await hosts.resolve([]);
    const { sections, issues } = desiredSections(config(block), view, addresses);
    return {
      text: renderFile(config(block), sections).text,
      notes: issues.map(({ service, instance, reason }) =>
        ['warning', service, instance, reason].filter((part) => part !== undefined).join(': '),
      ),
    };
  },
};
