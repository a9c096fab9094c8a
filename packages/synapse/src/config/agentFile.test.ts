import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentFileSchema, readAgentSettings, unsaid } from './agentFile.js';

describe('agent.yaml', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'agent-file-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function read(text: string) {
    const file = join(dir, 'agent.yaml');
    writeFileSync(file, text);
    return readAgentSettings(file, false, {});
  }

  it('means by a key that it lacks what the schema of the key makes of nothing', () => {
    expect(unsaid).toEqual(agentFileSchema().parse({}));
  });

  it('is read by the schemas of the keys that it has', async () => {
    const whole = await read('{ log: { level: warn }, zookeeper: { session_timeout: 5 }, mass_loss: false }');
    expect(whole.issues).toEqual([]);
    expect(whole.settings).toMatchObject({
      log: { level: 'warn' },
      massLoss: false,
      resyncMs: 30_000,
      zookeeper: { sessionTimeoutMs: 5_000, auth: [] },
      topology: { everyMs: 10_000 },
    });
  });

  it.each([
    ['reconcil: {}', 'Unknown key, did you mean "reconcile"?'],
    ['{ log: { level: warn }, topology: { intervall: 3 } }', 'Unknown key, did you mean "interval"?'],
    ['zookeeper: { session_timeout: soon }', 'Invalid input: expected number, received string'],
    ['[]', 'Invalid input: expected object, received array'],
  ])('says of %s what is wrong', async (text, message) => {
    const { settings, issues } = await read(text);
    expect(settings).toBeUndefined();
    expect(issues.map((issue) => issue.message)).toContain(message);
  });

  it('says all that is wrong, with what is wrong behind an unknown key', async () => {
    const { issues } = await read('{ reconcil: {}, log: { level: loud } }');
    expect(issues).toHaveLength(2);
  });
});
