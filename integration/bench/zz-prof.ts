import { resolve } from 'node:path';
import { coldBed } from './coldBed.ts';
import { startSynapse } from './coldRound.ts';
const bed = await coldBed(10, 100, 0);
const agents = process.argv.slice(2).map((a) => resolve(a));
const times = new Map<string, number[]>();
for (let i = 0; i < Number(process.env['ROUNDS'] ?? 3); i++) for (const a of agents) {
  const { marks, cpuMs } = await startSynapse(bed, a, 'managed');
  const k = a; times.set(k, [...(times.get(k) ?? []), marks['every service serves'] ?? NaN]);
  if (process.env['V']) console.log(JSON.stringify(marks), cpuMs);
}
for (const [a, t] of times) { t.sort((x, y) => x - y); console.log(a, 'min', t[0]?.toFixed(0), 'q1', t[t.length >> 2]?.toFixed(0), 'median', t[t.length >> 1]?.toFixed(0)); }
await bed.dispose();
