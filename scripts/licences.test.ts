import { describe, expect, it } from 'vitest';
import { licences } from './licences.ts';

describe('licences', () => {
  it('has each package once, with its version and what its author wrote', async () => {
    const text = await licences([
      'packages/agent/dist/index.js',
      'node_modules/winston/lib/winston.js',
      'node_modules/winston/lib/winston/logger.js',
      'node_modules/@colors/colors/lib/index.js',
    ]);
    expect(text.match(/^(@?[\w/-]+) \d+\.\d+\.\d+ \(.*\)$/gm)).toEqual([
      expect.stringMatching(/^@colors\/colors \S+ \(MIT\)$/),
      expect.stringMatching(/^winston \S+ \(MIT\)$/),
    ]);
    expect(text.match(/permission is hereby granted/gi)).toHaveLength(2);
  });
});
