import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { camelKeys } from '../config/camel.js';
import { ensembleKeys, placeOfEnsemble, sessionHosts, sessionOptions } from './ensemble.js';

const settings = (keys: object) => camelKeys(z.strictObject(ensembleKeys).parse(keys));

describe('sessionHosts', () => {
  it('sorts the hosts and puts the chroot at the end, whoever carries it', () => {
    expect(sessionHosts(['b:2181/chroot', 'a:2181'])).toEqual(['a:2181', 'b:2181/chroot']);
    expect(sessionHosts(['b:2181', 'a:2181/chroot'])).toEqual(['a:2181', 'b:2181/chroot']);
    expect(sessionHosts(['b:1', 'a:1', 'b:1'])).toEqual(['a:1', 'b:1']);
  });
});

describe('the keys of an ensemble', () => {
  it('take a list, a single host, or several in one text', () => {
    expect(settings({ zk_hosts: 'a:1' }).zkHosts).toEqual(['a:1']);
    expect(settings({ zk_hosts: ['a:1, b:2/c', '[::1]:3', 'd'] }).zkHosts).toEqual([
      'a:1',
      'b:2/c',
      '[::1]:3',
      'd',
    ]);
  });

  it('ask for the 32 s session of airbnb, without credentials unless given', () => {
    expect(sessionOptions(settings({ zk_hosts: ['a:1'] }))).toEqual({
      hosts: ['a:1'],
      sessionTimeoutMs: 32_000,
    });
  });

  it('hand on whose files they name, and what stands in the definition itself', () => {
    const options = (keys: object) => sessionOptions(settings({ zk_hosts: ['a:1'], ...keys }));
    expect(options({ zk_auth: 'digest:nerve:pa:ss' }).auth).toEqual([
      { scheme: 'digest', data: Buffer.from('nerve:pa:ss') },
    ]);
    expect(
      options({
        zk_auth: 'digest:u:p',
        zk_auth_file: '/auth',
        zk_tls: { ca_file: '/ca.pem', server_name: 'zk.internal' },
      }),
    ).toEqual({
      hosts: ['a:1'],
      sessionTimeoutMs: 32_000,
      authFile: '/auth',
      tls: { caFile: '/ca.pem', serverName: 'zk.internal', verify: true },
    });
  });

  it('are the same place for the same hosts in any order, and another for another identity', () => {
    const place = (keys: object): string => placeOfEnsemble(settings(keys));
    expect(place({ zk_hosts: ['a:1', 'b:1'] })).toBe(place({ zk_hosts: ['b:1', 'a:1'] }));
    expect(place({ zk_hosts: ['a:1'] })).not.toBe(place({ zk_hosts: ['a:1'], zk_auth: 'digest:u:p' }));
  });
});
