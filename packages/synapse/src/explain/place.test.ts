import { describe, expect, it } from 'vitest';

import { discoverySchema } from '../watchers/index.js';
import { partPlaces, placeOf } from './place.js';

const place = (block: object): string => placeOf(discoverySchema(block).parse(block));

describe('the place of a source', () => {
  it.each([
    [{ method: 'zookeeper', hosts: ['a:1', 'b:1'], path: '/s' }, 'zookeeper a:1,b:1/s'],
    [{ method: 'dns', servers: [{ host: 'x.example', port: 80 }] }, 'dns x.example:80'],
    [
      {
        method: 'docker',
        servers: [{ socket: '/d.sock' }, { host: 'h' }],
        image_name: 'web',
        container_port: 1,
      },
      'docker /d.sock,h web',
    ],
    [
      { method: 'marathon', marathon_api_url: 'http://me:secret@m:8080/x', application_name: 'web' },
      'marathon http://m:8080 web',
    ],
    [
      {
        method: 'ec2tag',
        tag_name: 'role',
        tag_value: 'web',
        aws_access_key_id: 'k',
        aws_secret_access_key: 's',
      },
      'ec2tag role=web',
    ],
    [{ method: 'mine', module: './mine.mjs' }, 'mine ./mine.mjs'],
    [{ method: 'base' }, 'base'],
  ])('%j is in words, without what is secret', (block, expected) => {
    expect(place(block)).toBe(expected);
  });

  it('is, for several watchers, the resolver, and each has its own', () => {
    const watchers = { a: { method: 'base' }, b: { method: 'zookeeper', hosts: ['a:1'], path: '/b' } };
    const block = { method: 'multi', watchers, resolver: { method: 'union' } };
    const discovery = discoverySchema(block).parse(block);
    expect(placeOf(discovery)).toBe('multi union');
    expect([...partPlaces(discovery)]).toEqual([
      ['a', 'base'],
      ['b', 'zookeeper a:1/b'],
    ]);
    expect(partPlaces(watchers.b).size).toBe(0);
  });
});
