import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executable = process.env.SMARTSTACK_CHROMIUM ?? '/usr/bin/chromium';

/** Why no browser can be started here; undefined when one can. */
export function whyNoBrowser(): string | undefined {
  return existsSync(executable) ? undefined : `there is no ${executable}`;
}

/** Starts the Chromium that is installed, without a window. Whoever starts it closes it. */
export function startBrowser(): Promise<Browser> {
  // Its sandbox does not start as root; what it is shown here is ours.
  return chromium.launch({ executablePath: executable, args: ['--no-sandbox', '--disable-gpu'] });
}

/** How a page is shown. */
export interface Look {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
}

/** A new page, and what went wrong in it: errors, messages of the console, what its policy forbade. */
export async function openPage(
  browser: Browser,
  { dark = false, width = 1280, height = 860 }: Look = {},
): Promise<{ readonly page: Page; readonly complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => undefined);
  });
  return { page, complaints };
}
