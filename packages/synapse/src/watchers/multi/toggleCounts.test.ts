import { describe, expect, it } from 'vitest';
import { StatsdEvents } from '../../statsdEvents.js';
import { ToggleCounts } from './toggleCounts.js';

/** What is counted, without the beginnings that all names have. */
function counts() {
  const sent: string[] = [];
  const increment = (name: string, tags: readonly string[] = []): void =>
    void sent.push([name.replace(/^.*\./, ''), ...tags].join(' '));
  const events = new StatsdEvents({ increment, timing: () => undefined, gauge: () => undefined });
  const toggle = new ToggleCounts(['primary', 'other'], 'me', events);
  return (act: (counted: ToggleCounts) => void): readonly string[] => {
    sent.length = 0;
    act(toggle);
    return [...sent];
  };
}
const weights = (given: Readonly<Record<string, number>>) => new Map(Object.entries(given));

describe('looks at the weights in S3', () => {
  it('are counted by the watcher that they choose, and as skipped while they stay the same', () => {
    const counted = counts();
    expect(counted((t) => t.read(weights({ primary: 0, other: 1 })))).toEqual([
      'switch result:success watcher:other',
    ]);
    expect(counted((t) => t.read(weights({ primary: 0, other: 1 })))).toEqual(['switch result:skip']);
    // Other weights, the same choice.
    expect(counted((t) => t.read(weights({ other: 2 })))).toEqual(['switch result:success watcher:other']);
  });

  it('that choose nobody say why, each time', () => {
    const counted = counts();
    const nobody = ['switch result:fail reason:zero_sum', 'switch result:fail reason:no_choice'];
    for (const given of [{ primary: 0 }, { primary: 0 }, {}])
      expect(counted((t) => t.read(weights(given)))).toEqual(nobody);
    expect(counted((t) => t.read(weights({ nobody: 1 })))).toEqual([
      'switch result:fail reason:unknown_watcher',
    ]);
    expect(counted((t) => t.read(weights({ nobody: 1e9, other: 1 })))).toEqual([
      'switch result:fail reason:unknown_watcher',
      'switch result:success watcher:other',
    ]);
  });

  it('that got nothing, or nothing that can be understood, have their reason', () => {
    const counted = counts();
    const nothing = ['fetch_failure reason:invalid_schema', 'switch result:fail reason:nil_weights'];
    expect(counted((t) => t.failed('s3_error'))).toEqual(['fetch_failure reason:s3_error', ...nothing]);
    expect(counted((t) => t.failed('parse_error'))).toEqual(['fetch_failure reason:parse_error', ...nothing]);
    expect(counted((t) => t.failed())).toEqual(nothing);
  });
});
