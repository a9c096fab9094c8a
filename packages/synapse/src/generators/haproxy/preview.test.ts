import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@smartstack/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readHaproxyBlock } from './block/blocks.js';
import { preview } from './preview.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'preview-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What would be written where this version is installed; undefined: none. */
async function shown(version: string | undefined): Promise<string> {
  const binary = join(folder, 'haproxy');
  if (version !== undefined)
    writeFileSync(binary, `#!/bin/sh\necho 'HAProxy version ${version} 2026/01/01'\n`, { mode: 0o755 });
  const traffic = { latencies: true, stickCounter: 2, tap: true };
  const { config } = readHaproxyBlock({ haproxy_binary: binary }, 'host', { traffic });
  const blocks = { haproxy: { port: 80, listen: ['mode http'] } };
  const view = { services: [{ name: 'web', source: 'live' as const, instances: [], blocks }] };
  return (await preview(config!, view, { clock: systemClock })).text;
}

describe('a preview', () => {
  it.each([
    ['2.4.30-1', false, 'frontend web'],
    ['2.6.12-1+deb12u3', true, 'frontend web from synapse-tapped'],
    ['3.3.1', true, 'frontend web:in from synapse-tapped'],
    [undefined, true, 'frontend web from synapse-tapped'],
  ])('is for the HAProxy that is installed: %s', async (version, counts, frontend) => {
    const text = await shown(version);
    expect([text.includes('gpc('), text.includes('ring synapse-tap')]).toEqual([counts, counts]);
    expect(text.split('\n')).toContain(frontend);
  });
});
