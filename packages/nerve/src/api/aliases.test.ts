import { describe, expect, it } from 'vitest';
import { apiBed as setUp } from '../testing/apiBed.js';

describe("go-nerve's names", () => {
  it('withdraw a service, or all, and register them again', async () => {
    const { ask, status } = await setUp();
    expect(await ask('PUT', '/services/web/disable')).toMatchObject({ status: 200 });
    expect(status()?.drain?.scope).toBe('service');
    expect(await ask('PUT', '/services/web/enable')).toMatchObject({ status: 200 });
    expect(status()?.drain).toBeUndefined();
    expect(await ask('PUT', '/disable')).toMatchObject({ status: 200 });
    expect(status()?.drain?.scope).toBe('host');
    expect(await ask('PUT', '/enable')).toMatchObject({ status: 200 });
    expect(status()?.drain).toBeUndefined();
  });
});

describe("go-nerve's names, for all", () => {
  it('weigh every service, and shut down those that have a command for it', async () => {
    const { ask, services } = await setUp({ api: { weight: 3, exclude_from_drain_all: true } });
    expect(await ask('PUT', '/weight/7')).toMatchObject({
      status: 200,
      value: { services: ['api', 'web'], stillDrained: [] },
    });
    expect(services.status.map(({ weight }) => weight.ordered?.value)).toEqual([7, 7]);
    expect(await ask('PUT', '/weight/257')).toMatchObject({ status: 400 });
    expect(await ask('PUT', '/disable?shutdown')).toMatchObject({
      status: 200,
      value: { services: ['web'] },
    });
  });
});
