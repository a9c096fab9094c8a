import { describe, expect, it } from 'vitest';
import { afterReload, aServer, aService, aState } from '../testing/sections.js';
import { foreignIds } from './strangers.js';

const loaded = aState([aService([aServer('a'), aServer('b')]), aService([aServer('a')], { service: 'api' })]);

describe('foreignIds', () => {
  it('has the servers of our backends that are not ours, of all processes', () => {
    const withStranger = (id: number) =>
      afterReload(aState([aService([aServer('a'), aServer(`by-hand-${id}`, { id })])]));
    const processes = [77, 78].map((id) => ({ state: withStranger(id), loaded }));
    expect([...foreignIds(processes)].map(([backend, ids]) => [backend, [...ids]])).toEqual([
      [
        'web',
        [
          [77, 'by-hand-77'],
          [78, 'by-hand-78'],
        ],
      ],
    ]);
  });

  it('knows of none where all are ours, or nobody knows whose they are', () => {
    expect(foreignIds([{ state: afterReload(loaded), loaded }]).size).toBe(0);
    expect(foreignIds([{ state: afterReload(loaded), loaded: undefined }]).size).toBe(0);
  });
});
