// From the exec of synapse until every service answers a request through HAProxy, beside what Node and HAProxy need.
// Usage: npm run bench:coldstart [-- --sizes 10x100,100x20,1000x20 --rounds 15 --latency-ms 0 --modes managed,external]
//   --ruby FILE          an executable of Airbnb's synapse 0.18.9, to take turns with ours
//   --agents FILE,FILE   executables of synapse that take turns (of another build, to compare)
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { coldBed } from './coldBed.ts';
import { bareHaproxy, bareNode, startRubySynapse, startSynapse } from './coldRound.ts';
import { header, row, summarize } from './statistics.ts';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10x100,100x20,1000x20' },
    rounds: { type: 'string', default: '15' },
    ruby: { type: 'string' },
    'latency-ms': { type: 'string', default: '0' },
    modes: { type: 'string', default: 'managed,external' },
    agents: {
      type: 'string',
      default: resolve(import.meta.dirname, '../../packages/synapse/bin/synapse.js'),
    },
  },
});
// A unit of systemd has none; Node reads these certificates at each start, which takes up to 40 ms.
delete process.env.NODE_EXTRA_CA_CERTS;

const rounds = Number(values.rounds);
const modes = values.modes.split(',').map((mode) => (mode === 'external' ? mode : 'managed'));
const agents = values.agents.split(',').map((file) => resolve(file));

class Series {
  readonly #samples = new Map<string, number[]>();

  add(label: string, value: number): void {
    if (Number.isNaN(value)) return;
    this.#samples.set(label, [...(this.#samples.get(label) ?? []), value]);
  }

  print(): void {
    console.log(header);
    for (const [label, samples] of this.#samples) console.log(row(label, summarize(samples)));
  }
}

async function bench(services: number, servers: number): Promise<void> {
  const bed = await coldBed(services, servers, Number(values['latency-ms']));
  try {
    const floors = new Series();
    const series = new Map<string, Series>();
    for (let round = 0; round < rounds; round += 1) {
      for (const mode of modes) {
        for (const agent of agents) {
          const title = `${mode} HAProxy${agents.length > 1 ? `, ${relative('', agent)}` : ''}`;
          const each = series.get(title) ?? new Series();
          series.set(title, each);
          const { marks, cpuMs, peakMiB } = await startSynapse(bed, agent, mode);
          for (const [label, value] of Object.entries(marks)) each.add(label, value);
          each.add('CPU time of synapse by then', cpuMs);
          each.add('its highest resident size, MiB', peakMiB);
        }
      }
      if (values.ruby !== undefined)
        floors.add('peer: every service serves, Ruby', await startRubySynapse(bed, resolve(values.ruby)));
      floors.add('floor: node -e 0', await bareNode());
      floors.add('floor: HAProxy alone, every service serves', await bareHaproxy(bed));
    }
    const roundTrip = (await bed.roundTrip()).toFixed(1);
    console.log(`\n${services} services x ${servers} servers, ${roundTrip} ms to ZooKeeper and back`);
    floors.print();
    for (const [title, each] of series) {
      console.log(`\n${title}`);
      each.print();
    }
  } finally {
    await bed.dispose();
  }
}

for (const size of values.sizes.split(',')) {
  const [services = 0, servers = 0] = size.split('x').map(Number);
  await bench(services, servers);
}
