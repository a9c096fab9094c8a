// What synapse costs at 20,000 servers, beside 20 servers of one service in the same run: a single change, a burst of
// changes, the file, nothing at all, and scrapes.
// Usage: npm run bench:scale [-- --services 1000 --servers 20 --rounds 25 --burst 1000]
import { parseArgs } from 'node:util';
import { cleanUp } from '../discovery/bed.ts';
import { measureCounters } from './counterCost.ts';
import { type Size, startScale } from './scaleBed.ts';
import {
  type Figures,
  measureBurst,
  measureFile,
  measureIdle,
  measureScrape,
  measureSingle,
} from './scaleFigures.ts';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    servers: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '25' },
    burst: { type: 'string', default: '1000' },
  },
});

async function measure(size: Size): Promise<Figures> {
  const figures: Figures = new Map();
  try {
    const bed = await startScale(size);
    figures.set('start until in step, ms', bed.startedMs);
    await measureIdle(bed, figures);
    await measureSingle(bed, figures, Number(values.rounds));
    await measureFile(bed, figures);
    await measureBurst(bed, figures, Number(values.burst));
    await measureScrape(bed, figures);
    await measureCounters(bed, figures);
    if ((await bed.vm.worker()) !== bed.worker) console.log('HAProxy was RELOADED');
  } finally {
    await cleanUp();
  }
  return figures;
}

const small = await measure({ services: 1, servers: 20 });
const large = await measure({ services: Number(values.services), servers: Number(values.servers) });
const cell = (value: number): string => value.toFixed(value < 100 ? 1 : 0).padStart(12);
console.log(
  `${''.padEnd(66)}${['20 servers', `${values.services} x ${values.servers}`, 'ratio'].map((each) => each.padStart(12)).join('')}`,
);
for (const [label, value] of large) {
  const peer = small.get(label) ?? Number.NaN;
  console.log(`${label.padEnd(66)}${cell(peer)}${cell(value)}${cell(value / peer)}`);
}
