import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { latency, percent, rate } from '../../packages/synapse/src/dashboard/browser/format.ts';
import { readPage } from '../../packages/synapse/src/dashboard/page.ts';
import type { Explanation, ServiceLine } from '../../packages/synapse/src/explain/shapes.ts';
import type { ServiceDetail, TrafficAnswer } from '../../packages/synapse/src/traffic/shapes.ts';
import { cleanUp, onCleanUp, prepareVm, registrar, register, upstream, type Vm } from '../discovery/bed.ts';
import { openPage, startBrowser, whyNoBrowser } from '../harness/browser.ts';
import { eventually } from '../harness/eventually.ts';
import { startLoad } from '../harness/load.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { prepareZooKeeper } from '../harness/zookeeper.ts';
import { fleet, overlapping } from './fleet.ts';
import { cutFigures, focused, overflow, shows } from './pageReading.ts';

const why = whyNoBrowser();
const hostile = '<img src=x onerror=alert(1)>';

let vm: Vm;
let browser: Browser;
let base: string;
let pictures: string;

describe.skipIf(why !== undefined)(`the dashboard${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  beforeAll(async () => {
    pictures = process.env.SMARTSTACK_SCREENSHOTS ?? makeTempDir('dashboard');
    if (process.env.SMARTSTACK_SCREENSHOTS === undefined) onCleanUp(() => removeTempDir(pictures));
    const starting = startBrowser();
    const zookeeper = await prepareZooKeeper();
    onCleanUp(() => zookeeper.dispose());
    await zookeeper.start();
    const session = await registrar(zookeeper.address);
    const [a, b, c] = await Promise.all([upstream('a'), upstream('b'), upstream('c')]);
    vm = await prepareVm(zookeeper.address, ['orders', 'web']);
    await Promise.all([
      register(session, 'web', a),
      register(session, 'web', b),
      register(session, 'orders', c),
    ]);
    // Whoever may register may choose a name.
    const away = { host: '127.0.0.1', port: 1, name: hostile };
    await session.create(`/s/web/away_`, Buffer.from(JSON.stringify(away)), 'persistent_sequential');
    await vm.start();
    browser = await starting;
    onCleanUp(() => browser.close());
    base = `http://127.0.0.1:${vm.adminPort}/dashboard`;
    await vm.serves('orders', ['c']);
    const loads = ['web', 'orders'].map((name) =>
      startLoad({
        port: vm.ports[name]!,
        clients: 2,
        connections: 'keep-alive',
        paceMs: 5,
        maxRequests: 5_000,
      }),
    );
    onCleanUp(async () => {
      await Promise.all(loads.map((load) => load.stop()));
    });
  }, 60_000);
  afterAll(cleanUp);
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  it('is what was built, packed, and sent once', async () => {
    const page = await readPage();
    const first = await fetch(base);
    expect(await first.text()).toBe(Buffer.from(page.html).toString());
    const etag = first.headers.get('etag') ?? '';
    expect((await fetch(base, { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await fetch(new URL('/', base), { redirect: 'manual' })).headers.get('location')).toBe(
      '/dashboard',
    );
    expect(page.gzipped.length).toBeLessThan(30_000);
  });

  it('shows the numbers that the API has, and is led by the keyboard', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(base);
    await page.getByRole('link', { name: 'web' }).waitFor();
    await shows(page, '/v1/traffic?', 'web', (answer) => {
      const { services, latencyBounds } = answer as TrafficAnswer;
      const summary = services.find(({ service }) => service === 'web')!.summary;
      expect(summary.requests).toBeGreaterThan(0);
      const last = latencyBounds.at(-1);
      return [
        percent(summary.successRate),
        rate(summary.rps),
        ...[summary.p50, summary.p95, summary.p99].map((each) => latency(each, last)),
      ];
    });
    await shows(page, '/v1/services', 'web', (answer) => {
      const { services } = answer as { readonly services: readonly ServiceLine[] };
      const { takesTraffic, servers } = services.find(({ service }) => service === 'web')!;
      return [`${takesTraffic}/${servers}`];
    });
    await page.screenshot({ path: join(pictures, 'services.png') });

    await page.keyboard.press('/');
    await page.keyboard.type('web');
    await eventually(
      async () => (await page.locator('table.services a.name').allInnerTexts()).join() === 'web',
      {
        what: 'the filter leaves one service',
      },
    );
    expect(page.url()).toContain('filter=web');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('j');
    expect(await focused(page)).toBe('web');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'web', level: 1 }).waitFor();

    await shows(page, '/v1/traffic/web', 'a_127.0.0.1', (answer) => {
      const { servers, latencyBounds } = answer as ServiceDetail;
      const { summary } = servers.find(({ server }) => server.startsWith('a_'))!;
      return [rate(summary.rps), percent(summary.successRate), latency(summary.p99, latencyBounds.at(-1))];
    });
    await eventually(
      async () => (await page.locator('figure.chart path.curve.requests').getAttribute('d'))?.startsWith('M'),
      {
        what: 'there is a curve of requests',
      },
    );
    // Why one server is out: in the page as in the API.
    const { servers } = JSON.parse((await vm.admin('/v1/services/web/why')).body) as Explanation;
    const out = servers.find(({ port }) => port === 1)!;
    expect(out.takesTraffic).toBe(false);
    const row = page.locator('tbody', { hasText: out.server });
    expect(await row.locator('.why').innerText()).toBe(out.reason);
    await row.getByRole('button').click();
    expect(await row.locator('.steps li').count()).toBe(out.steps.length);
    await page.screenshot({ path: join(pictures, 'service.png'), fullPage: true });

    await page.keyboard.press('2');
    await page.locator('.node.server').first().waitFor();
    expect(await page.locator('.node.service .label').allTextContents()).toEqual(['orders', 'web']);
    await page.screenshot({ path: join(pictures, 'topology.png'), fullPage: true });
    await page.keyboard.press('3');
    const rows = page.locator('.live tbody tr');
    await rows.first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('/ GET 200');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await eventually(async () => (await rows.count()) > 5, { what: 'requests pass', timeoutMs: 10_000 });
    expect((await rows.first().locator('td').allInnerTexts()).join(' ')).toMatch(
      /^\d\d:\d\d:\d\d GET \/ 200 [\d.]+ m?s 127\.0\.0\.1 [abc]_127/,
    );
    await page.screenshot({ path: join(pictures, 'live.png') });
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    // Nobody looks any more: HAProxy is silent again.
    await eventually(async () => (await vm.admin('/metrics')).body.includes('\nsmartstack_tap_readers 0\n'), {
      what: 'the tap is closed',
      timeoutMs: 10_000,
    });
    await page.keyboard.press('p');
    await page.goto(`${base}#/live/web?filter=/nothing-is-called-so`);
    await page.getByText('Waiting for requests').waitFor();
    await page.keyboard.press('4');
    await page.getByText('connected', { exact: true }).first().waitFor();
    await page.screenshot({ path: join(pictures, 'agent.png'), fullPage: true });
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'web' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it.each([
    ['dark', { dark: true }],
    ['phone', { width: 360, height: 740 }],
  ])('fits its width in all views: %s', async (name, look) => {
    const { page, complaints } = await openPage(browser, look);
    for (const [view, ready] of [
      ['services', '.services .success'],
      ['service/web', '.servers .pill'],
      ['topology', '.node.server'],
      ['live', '.live .path'],
      ['agent', '.card'],
    ] as const) {
      await page.goto(`${base}#/${view}`);
      await page.locator(ready).first().waitFor();
      expect(await overflow(page), view).toBeLessThanOrEqual(0);
      expect(await cutFigures(page), view).toEqual([]);
      const file = `${name}-${view}`.replaceAll(/\W/g, '-');
      await page.screenshot({ path: join(pictures, `${file}.png`), fullPage: true });
    }
    const ground = await page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
    expect(Number(/\d+/.exec(ground)?.[0]) < 128).toBe('dark' in look);
    expect(complaints).toEqual([]);
  });

  it('shows names as text, whatever they are, and stays quick with a thousand', async () => {
    const { page, complaints } = await openPage(browser);
    const names = [hostile, '__proto__', ...Array.from({ length: 1_000 }, (_, index) => `s-${index}`)];
    for (const path of ['/v1/services', '/v1/traffic?*']) {
      await page.route(`**${path}`, async (route) => {
        const got = await route.fetch().catch(() => undefined);
        if (got === undefined) return;
        const answer = (await got.json()) as {
          services: { service: string; reason?: string }[];
        };
        const [one] = answer.services;
        const services = names.map((service) => ({ ...one, service, reason: hostile }));
        await route.fulfill({ json: { ...answer, services } });
      });
    }
    await page.goto(base);
    await page.getByRole('link', { name: hostile }).waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('.why').first().innerText()).toBe(hostile);
    expect(await page.locator('table.services').getAttribute('aria-rowcount')).toBe(String(names.length + 1));
    expect(await page.locator('table.services tbody tr').count()).toBeLessThan(60);
    await page.keyboard.press('End');
    await eventually(async () => (await focused(page)) === 's-999', {
      what: 'the last of them has the focus',
    });
    await page.keyboard.press('2');
    await page.locator('.node.more').waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });

  it('draws a fleet of a hundred services, with a table beside, whatever their names are', async () => {
    const { page, complaints } = await openPage(browser);
    const answer = fleet(hostile);
    await page.route('**/v1/topology?fleet=true', (route) => route.fulfill({ json: answer }));
    await page.goto(`${base}#/topology`);
    await page.locator('.node.caller').first().waitFor();
    expect(await page.locator('.node.service').count()).toBe(101);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.locator('table.calls tbody tr').count()).toBe(answer.edges.length);
    await page.getByText('without the nodes of 2 hosts').waitFor();
    // Nothing is upon something else.
    expect(await overlapping(page)).toEqual([]);
    await page.locator('.frame').screenshot({ path: join(pictures, 'fleet.png') });
    // Those that this host has a page for lead there. What has the focus stands out with whom it has to do with.
    await page.locator('a.node', { hasText: 'orders' }).waitFor();
    await page.keyboard.press('j');
    expect(await page.locator('.graph[data-chosen]').count()).toBe(1);
    expect(await page.locator('.edge[data-on]').count()).toBeGreaterThan(0);
    await page.screenshot({ path: join(pictures, 'fleet-chosen.png') });
    await page.getByRole('button', { name: 'This host' }).click();
    await page.locator('.node.server').first().waitFor();
    expect(page.url()).toContain('local=1');
    await page.screenshot({ path: join(pictures, 'fleet-local.png'), fullPage: true });
    expect(complaints).toEqual([]);
  });

  it('says since when the agent does not answer, and goes on when it does', async () => {
    const { page, complaints } = await openPage(browser);
    await page.goto(base);
    await page.getByRole('link', { name: 'web' }).waitFor();
    expect(complaints).toEqual([]);
    await vm.synapse.stop();
    await page.getByText(/^Not connected since \d\d:\d\d:\d\d/).waitFor();
    // What was known stays.
    expect(await page.getByRole('link', { name: 'web' }).count()).toBe(1);
    await page.screenshot({ path: join(pictures, 'lost.png') });
    await vm.start();
    await page.getByText(/^Not connected/).waitFor({ state: 'hidden' });
    await page.getByText(/^The agent was started again at/).waitFor({ state: 'attached' });
  });
});
