import type { Page } from 'playwright-core';
import { eventually } from '../harness/eventually.ts';

/** The text of what has the focus. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate<string>('document.activeElement?.textContent');

/** The texts of the cells of a row. */
async function cells(page: Page, row: string): Promise<readonly string[]> {
  const texts = await page
    .locator('tr', { has: page.locator('.name', { hasText: row }) })
    .locator('td')
    .allInnerTexts();
  return texts.map((text) => text.trim());
}

/** Waits until a row has what an answer that comes meanwhile says. */
export async function shows(
  page: Page,
  path: string,
  row: string,
  expected: (answer: unknown) => readonly string[],
): Promise<void> {
  let seen: readonly string[] = [];
  let wanted: readonly string[] = [];
  await eventually(
    async () => {
      const response = await page.waitForResponse((one) =>
        one.url().startsWith(`${new URL(page.url()).origin}${path}`),
      );
      wanted = expected(await response.json());
      seen = await cells(page, row);
      return wanted.every((text) => seen.includes(text));
    },
    { what: `${row} shows what ${path} answers`, timeoutMs: 10_000 },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: it shows ${seen.join(' ')}, not ${wanted.join(' ')}`, {
      cause: error,
    });
  });
}

/** Pixels by which the page is wider than its window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');

/** Heads and figures of tables of which a part cannot be seen. */
export const cutFigures = (page: Page): Promise<readonly string[]> =>
  page.evaluate<string[]>(
    `[...document.querySelectorAll('thead th, td.number')]
      .filter((cell) => cell.scrollWidth > cell.clientWidth)
      .map((cell) => cell.textContent)`,
  );
