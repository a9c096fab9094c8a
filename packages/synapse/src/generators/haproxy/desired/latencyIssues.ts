import type { CatalogView } from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import type { HaproxyConfig } from '../block/schema.js';
import { Memo } from './memo.js';
import { type ViewOutline, viewOutlines } from './viewOutline.js';
import { clashReasons, notCounted } from './latencyClashes.js';
import { withoutLatencies } from './latencyLines.js';
import type { HaproxyIssue } from './issue.js';
import type { DesiredState, LatencySettings } from '../types.js';

const known = new Memo<readonly ViewOutline[], LatencySettings>();

/** How latencies are to be counted; undefined where they are not. */
export function latencySettings(
  { latencyCounter: stickCounter }: Pick<HaproxyConfig, 'latencyCounter'>,
  view: CatalogView,
): LatencySettings | undefined {
  if (stickCounter === undefined) return undefined;
  const outline = viewOutlines(view.services);
  return known.of(outline, [stickCounter], () => {
    const isLeftOut = ({ block }: ViewOutline): boolean =>
      readServiceBlock(block).config?.latencies === false;
    return { stickCounter, except: outline.filter(isLeftOut).map(({ name }) => name) };
  });
}

/** Whose latencies are wanted and not counted; `settings` are undefined where this HAProxy counts none. */
export function latencyIssues(
  { latencyCounter }: Pick<HaproxyConfig, 'latencyCounter'>,
  desired: DesiredState,
  settings: LatencySettings | undefined,
): readonly HaproxyIssue[] {
  if (latencyCounter === undefined) return [];
  if (settings === undefined)
    return [{ severity: 'warning', reason: `${notCounted}HAProxy can do that from 2.6 on` }];
  return clashReasons(withoutLatencies(desired), settings).map((clash) => ({
    severity: 'warning',
    ...clash,
  }));
}

/** Why the latencies of a service are not counted, by the issues of a look; undefined where these do not say. */
export function noLatencies(issues: readonly HaproxyIssue[], service: string): string | undefined {
  const issue = issues.find(
    (each) => (each.service ?? service) === service && each.reason.includes(notCounted),
  );
  return issue?.reason.slice(issue.reason.indexOf(notCounted) + notCounted.length);
}
