import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { outlineOf } from '../desired/outline.js';
import type { DesiredState } from '../types.js';
import { structureReasons } from './planStructure.js';

const stateOf = (generation: number): DesiredState => ({
  base: [],
  services: [{ service: 'web', backend: { name: 'web', lines: [`fullconn ${generation}`], servers: [] } }],
});

describe('reasons of the structure', () => {
  it('keep no generation alive but those that are compared, one reload after the other', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const gone: WeakRef<object>[] = [];
    let loaded = stateOf(0);
    for (let generation = 1; generation < 5; generation += 1) {
      const desired = stateOf(generation);
      expect(structureReasons(desired, loaded)).toHaveLength(1);
      gone.push(new WeakRef(outlineOf(loaded.services)));
      loaded = desired;
    }
    // What a WeakRef was asked for lives until the turn ends.
    await new Promise((done) => setImmediate(done));
    collect();
    expect(gone.map((each) => each.deref())).toEqual([undefined, undefined, undefined, undefined]);
    expect(outlineOf(loaded.services)).toHaveLength(1);
  });
});
