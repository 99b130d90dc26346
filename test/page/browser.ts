/** Chromium of the machine, and pages that notice errors and violations of the content security policy. */

import { onTestFinished } from 'vitest';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { needTool } from '../support/require.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** A browser starts slowly on a machine under load. */
const START_MS_MAX = 120_000;
const WAIT_MS_MAX = 60_000;

/** With a new, empty profile. The caller closes it. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({
    executablePath: needTool('chromium'),
    headless: true,
    args: FLAGS,
    timeout: START_MS_MAX,
  });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors on the console, uncaught errors, and violations of the policy. */
  readonly faults: string[];
}

/** Closes when the test ends. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  onTestFinished(async () => await context.close());
  context.setDefaultTimeout(WAIT_MS_MAX);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  await page.addInitScript(
    `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI));`,
  );
  return { page, faults };
}
