import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock, RecordingLogger } from '@smartstack/agent/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Configuration, loadConfiguration } from './config/load.js';
import type { Variants } from './config/serviceReader.js';
import { LiveConfiguration } from './configuration.js';
import {
  type Discovery,
  discoveryKeys,
  discoveryMultiSchema,
  discoverySchema,
  lintDiscovery,
  portlessIn,
} from './watchers/index.js';
import { resolverKeys } from './resolvers/index.js';

const rules = { check: () => [], checkService: () => [] };
const variants: Variants<Discovery> = {
  discovery: discoverySchema,
  discoveryMulti: discoveryMultiSchema,
  resolverKeys,
  discoveryKeys,
  lintDiscovery,
  portlessIn,
  generators: new Map([['haproxy', rules]]),
};

let folder: string;
let logger: RecordingLogger;
const onConfiguration = vi.fn<(configuration: Configuration<Discovery>) => void>();
const metrics = { configured: vi.fn(), reloaded: vi.fn(), build: vi.fn() };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'synapse-live-'));
  mkdirSync(join(folder, 'a'));
  mkdirSync(join(folder, 'b'));
  logger = new RecordingLogger();
  onConfiguration.mockReset();
  for (const mock of Object.values(metrics)) mock.mockReset();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A failure of a reading is told to whoever asked for it, and to nobody after. */
const failOnce = (): void => {
  onConfiguration.mockImplementationOnce(() => {
    throw new Error('no');
  });
};

const main = (directory: string, text = 'haproxy: {}') =>
  writeFileSync(join(folder, 'synapse.yaml'), `${text}\nservice_conf_dir: ${folder}/${directory}\n`);
const service = (file: string, text = '{discovery: {method: base}, default_servers: [{host: h, port: 1}]}') =>
  writeFileSync(join(folder, file), text);

async function live(clock: Clock = new FakeClock()): Promise<LiveConfiguration<Discovery>> {
  const source = { file: join(folder, 'synapse.yaml'), env: {}, variants };
  const { configuration, issues } = await loadConfiguration(source);
  if (configuration === undefined) throw new Error(JSON.stringify(issues));
  return new LiveConfiguration({
    source,
    initial: configuration,
    issues,
    onConfiguration,
    clock,
    logger,
    metrics,
  });
}
const names = () => [...(onConfiguration.mock.lastCall?.[0].services.keys() ?? [])];
const told = () => logger.records.filter(({ message }) => message === 'bad configuration');

describe('LiveConfiguration', () => {
  it('reads again after a reading that failed for a reason that nobody foresaw', async () => {
    main('a');
    const configuration = await live();
    failOnce();
    await expect(configuration.reload()).rejects.toThrow('no');
    await configuration.reload();
    expect(onConfiguration).toHaveBeenCalledTimes(2);
  });

  it('reads everything again, and joins calls that come together', async () => {
    main('a');
    const configuration = await live();
    service('a/web.yaml');
    await Promise.all([configuration.reload(), configuration.reload(), configuration.reload()]);
    expect(onConfiguration).toHaveBeenCalledOnce();
    expect(names()).toEqual(['web']);
    expect(configuration.current.services.has('web')).toBe(true);
  });

  it('reads once more for a call that comes while it reads', async () => {
    main('a');
    const configuration = await live();
    const first = configuration.reload();
    await Promise.resolve();
    await Promise.resolve();
    service('a/late.yaml');
    await configuration.reload();
    await first;
    expect(names()).toEqual(['late']);
  });

  it('tells what is wrong once, keeps what was, and tells again after it was right', async () => {
    main('a');
    service('a/web.yaml');
    const configuration = await live();
    expect(metrics.configured).toHaveBeenLastCalledWith(true);
    service('a/web.yaml', 'discovery: {}');
    await configuration.reload();
    await configuration.reload();
    expect(told()).toHaveLength(1);
    expect(String(told()[0]?.fields.issue)).toMatch(/a\/web\.yaml:1:\d+ discovery/);
    expect(configuration.issues).toHaveLength(1);
    expect(names()).toEqual(['web']);
    expect(metrics.configured).toHaveBeenLastCalledWith(false);
    service('a/web.yaml');
    await configuration.reload();
    service('a/web.yaml', 'discovery: {}');
    await configuration.reload();
    expect(told()).toHaveLength(2);
  });

  it.each([
    ['a file of the directory', () => service('a/late.yaml')],
    ['the main file', () => main('b')],
  ])('reads %s again that changed between the first reading and the watch', async (_, change) => {
    main('a');
    service('b/late.yaml');
    const configuration = await live(systemClock);
    change();
    const stop = new AbortController();
    const running = configuration.run(stop.signal);
    await vi.waitFor(() => expect(names()).toEqual(['late']), { timeout: 10_000 });
    stop.abort();
    await running;
    expect(onConfiguration).toHaveBeenCalledOnce();
  });

  it('follows a directory that moves', async () => {
    main('a');
    service('a/old.yaml');
    service('b/new.yaml');
    const configuration = await live();
    main('b');
    await configuration.reload();
    expect(names()).toEqual(['new']);
    expect(configuration.current.paths.at(-1)).toBe(join(folder, 'b'));
  });
});
