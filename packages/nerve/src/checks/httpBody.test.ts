import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyJudge } from './httpBody.js';

describe('BodyJudge', () => {
  it('finds the expected text exactly when the whole body contains it, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 6 }), { maxLength: 12 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'é'), minLength: 1, maxLength: 8 }),
        (chunks, expected) => {
          const judge = new BodyJudge(expected);
          judge.begin();
          const found =
            chunks.some((chunk) => judge.add(Buffer.from(chunk))?.ok === true) || judge.atEnd().ok;
          expect(found).toBe(chunks.join('').includes(expected));
        },
      ),
    );
  });

  it('treats an empty expectation as none', () => {
    expect(new BodyJudge('').atEnd()).toEqual({ ok: true });
  });
});
