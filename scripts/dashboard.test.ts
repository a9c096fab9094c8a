import { describe, expect, it } from 'vitest';
import { pageOf } from '../packages/synapse/src/dashboard/page.ts';
import { dashboardPage } from './dashboard.ts';

describe('the dashboard that is built', () => {
  it('is one small file that asks nobody for anything', async () => {
    const html = await dashboardPage();
    const { gzipped, policy } = await pageOf(html);
    expect(gzipped.length).toBeLessThan(30_000);
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toMatch(/<(?:script|img|iframe)[^>]* src=|@import|url\(|<link[^>]*rel="?stylesheet/);
    // Only names of XML namespaces, and of links that are made.
    const addresses = [...html.matchAll(/https?:\/\/[\w.]*/g)].map(([address]) => address);
    expect(addresses.filter((address) => !['http://', 'http://www.w3.org'].includes(address))).toEqual([]);
    expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
    expect(policy.match(/'sha256-/g)).toHaveLength(2);
  });
});
