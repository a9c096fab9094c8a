import { describe, expect, it } from 'vitest';
import { describeError } from './errors.js';

describe('describeError', () => {
  it('says it all on one line, causes included', () => {
    const cause = new Error('write EPROTO:wrong version number:ssl3_record.c:350:\n');
    expect(describeError(new Error('no session\r\n  for now', { cause }))).toBe(
      'no session for now: write EPROTO:wrong version number:ssl3_record.c:350:',
    );
    expect(describeError(Object.assign(new Error(''), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
    const full = new Error('ENOSPC: no space left');
    expect(describeError(new Error(`Cannot write: ${full.message}`, { cause: full }))).toBe(
      'Cannot write: ENOSPC: no space left',
    );
    expect(describeError('text')).toBe('text');
  });
});
