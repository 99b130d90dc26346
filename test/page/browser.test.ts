/**
 * The page in Chromium. Run with SLUICE_SCREENSHOTS=1 to write the screenshots of docs/page.md.
 */

import fs from 'node:fs';
import path from 'node:path';
import axe from 'axe-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import type { DatabaseStatus } from '@sluice/core';
import { describeWith } from '../support/require.ts';
import { createDashboard, type DashboardOptions } from '@sluice/dashboard';
import { launch, openPage } from './browser.ts';
import {
  FakeSource,
  failingStatus,
  okDrill,
  status,
} from '../../apps/dashboard/test/support/fake-source.ts';
import { serve, type Served } from '../../apps/dashboard/test/support/serve.ts';

const TOKEN = 'correct-horse-battery-staple';
const MANY = 5_000;
/** On an idle machine it takes 0.3 s. */
const FIRST_PAINT_MS_MAX = 15_000;
/** On an idle machine it takes 40 ms. */
const SEARCH_MS_MAX = 5_000;
const DOCS = path.join(import.meta.dirname, '..', '..', 'docs');
const WRITES_SCREENSHOTS = process.env['SLUICE_SCREENSHOTS'] === '1';
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true } as const;

function many(): DatabaseStatus[] {
  return Array.from({ length: MANY }, (_, index) => status(`/data/tenants/tenant-${index}.db`));
}

interface Site extends Served {
  readonly source: FakeSource;
}

async function site(
  statuses: readonly DatabaseStatus[],
  options: DashboardOptions = {},
): Promise<Site> {
  const source = new FakeSource(statuses);
  const served = await serve(createDashboard(source, { intervalMs: 100, ...options }));
  return { ...served, source };
}

/** The accessibility problems that axe calls serious or critical. */
async function seriousProblems(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`);
}

async function widthBeyond(page: Page): Promise<number> {
  return await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
}

/** Waits for an expression. Playwright's own way would need eval, which the policy of the page forbids. */
async function until(page: Page, expression: string): Promise<void> {
  await expect
    .poll(async () => await page.evaluate(expression), { message: expression })
    .toBe(true);
}

async function screenshot(page: Page, name: string): Promise<void> {
  if (!WRITES_SCREENSHOTS) return;
  await page.screenshot({ path: path.join(DOCS, `page-${name}.png`), scale: 'css' });
}

const green = '[data-color=green]';
const red = '[data-color=red]';

describeWith(['chromium'], 'the page in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch();
  });

  afterAll(async () => {
    await browser.close();
  });

  test('shows the verdict, goes red when a destination fails, and green again', async () => {
    const { url, source } = await site([status('/data/app.db'), status('/data/users.db')]);
    const { page, faults } = await openPage(browser);
    await page.goto(url);
    await page.waitForSelector(green);
    expect(await page.textContent('.answer')).toBe('No');
    expect(await page.locator('.line').count()).toBe(4);
    source.statuses = [failingStatus('/data/app.db'), status('/data/users.db')];
    await page.waitForSelector(red);
    const banner = (await page.textContent('.cause')) ?? '';
    expect(banner).toContain('app.db');
    expect(banner).toContain('connection refused');
    expect(banner).toContain('sluice check');
    expect(await page.textContent('.line >> nth=0')).toContain('failing');
    expect(await page.title()).toContain('✕');
    source.statuses = [status('/data/app.db'), status('/data/users.db')];
    await page.waitForSelector(green);
    expect(faults).toEqual([]);
  });

  test('says when the connection is lost, as of when, and connects again', async () => {
    const { url, stop, start } = await site([status('/data/app.db')]);
    const { page } = await openPage(browser);
    await page.goto(url);
    await page.waitForSelector(green);
    await stop();
    await page.waitForSelector(red);
    expect(await page.textContent('.answer')).toBe('Not known');
    expect(await page.textContent('.verdict .detail')).toMatch(
      /Connection lost, as of \d\d:\d\d:\d\d/,
    );
    expect(await page.textContent('header')).toMatch(/Connection lost, as of \d\d:\d\d:\d\d/);
    await start();
    await page.waitForSelector(green);
  });

  test('notices a connection that is open and silent', async () => {
    const { url, source } = await site([status('/data/app.db')]);
    const { page } = await openPage(browser);
    await page.goto(url);
    await page.waitForSelector(green);
    source.isHanging = true;
    await page.waitForSelector(red);
    expect(await page.textContent('.verdict .detail')).toContain('Connection lost, as of');
  });

  test('searches and sorts 5,000 databases, with the mouse and with keys', async () => {
    const { url, source } = await site([...many(), status('/data/app.db')]);
    const { page, faults } = await openPage(browser);
    await page.goto(url);
    await page.waitForSelector(green);
    expect(await page.textContent('.toolbar')).toContain('10,002 rows');
    expect(await page.locator('.line').count()).toBeLessThan(60);
    await page.fill('input[type=search]', 'tenant-4711 offsite');
    await until(page, "document.querySelectorAll('.line').length === 1");
    expect(await page.textContent('.line')).toContain('tenant-4711.db');
    const searchMs = await page.evaluate<number>(`new Promise((resolve) => {
      const input = document.querySelector('input[type=search]');
      const startedMs = performance.now();
      input.value = '';
      input.dispatchEvent(new Event('input', { bubbles: true }));
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - startedMs)));
    })`);
    console.log(`a search was drawn within ${Math.round(searchMs)} ms`);
    expect(await page.locator('.line').count()).toBeGreaterThan(10);
    expect(searchMs).toBeLessThan(SEARCH_MS_MAX);
    await page.click('.head .database button');
    await page.click('.head .database button');
    await until(page, "document.querySelector('.line')?.textContent.includes('tenant-4999.db')");
    expect(await page.getAttribute('.head .database', 'aria-sort')).toBe('descending');
    // Keys reach rows that did not exist before.
    await page.focus('.line a');
    await page.keyboard.press('End');
    await until(page, "document.activeElement?.textContent === 'app.db'");
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await until(page, "document.activeElement?.textContent === 'tenant-0.db'");
    await page.keyboard.press('Home');
    await until(page, "document.activeElement?.textContent === 'tenant-4999.db'");
    source.statuses = [...many(), failingStatus('/data/app.db')];
    await page.waitForSelector(red);
    await page.click('text=Problems');
    await until(page, "document.querySelectorAll('.line').length === 1");
    await page.focus('.line a');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:has-text("app.db")');
    expect(faults).toEqual([]);
  });

  test('paints the verdict over 5,000 databases at once', async () => {
    const { url } = await site(many());
    const { page } = await openPage(browser);
    await page.goto(url);
    await page.waitForSelector(green);
    const paint = await page.evaluate<{ first: number; verdict: number }>(`({
      first: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      verdict: performance.now(),
    })`);
    console.log(
      `first paint ${Math.round(paint.first)} ms, verdict within ${Math.round(paint.verdict)} ms`,
    );
    expect(paint.first).toBeGreaterThan(0);
    expect(paint.first).toBeLessThan(FIRST_PAINT_MS_MAX);
  });

  test('picks a moment, shows what its restore reads, and the command', async () => {
    const { url, source } = await site([failingStatus('/data/app.db')]);
    const atOf = (hours: number): string =>
      new Date(source.endMs - hours * 3_600_000).toISOString();
    const earlier = [
      { result: 'failed', at: atOf(24) },
      { result: 'ok', at: atOf(48) },
    ] as const;
    source.drillsByDatabase.set('/data/app.db', [okDrill('near', { earlier })]);
    const { page, faults } = await openPage(browser);
    await page.goto(`${url}/#db=${encodeURIComponent('/data/app.db')}`);
    await page.waitForSelector('.plan strong');
    expect(await page.locator('.timeline .drill title').count()).toBe(3);
    expect(await page.locator('.timeline .drill.failed title').textContent()).toContain(
      'drill failed',
    );
    expect(await page.textContent('.plan')).toContain('14 files, 47.9 MiB');
    const command = 'sluice restore -config /etc/sluice.yml';
    expect(await page.textContent('.command code')).toBe(
      `${command} -o /data/app.db.restored /data/app.db`,
    );
    await page.waitForSelector('.u-legend');
    expect(await page.locator('.timeline .gap title').count()).toBe(1);
    expect(await page.textContent('body')).toContain('REPLICA_RATE_LIMITED');
    // By keys: the slider, as a screen reader knows it.
    const slider = page.getByRole('slider', { name: 'Moment to restore' });
    await slider.focus();
    await page.keyboard.press('PageDown');
    await vi.waitUntil(() => source.planned.some(({ kind }) => kind === 'timestamp'), 60_000);
    const target = source.planned.at(-1);
    const at = target?.kind === 'timestamp' ? target.at : '';
    await until(
      page,
      `document.querySelector('.command code').textContent.includes('-timestamp ${at}')`,
    );
    // By mouse: the middle of four days.
    const box = await page.locator('.timeline svg >> nth=0').boundingBox();
    await page.mouse.click((box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + 30);
    await until(page, `!document.querySelector('.command code').textContent.includes('${at}')`);
    const text = (await page.textContent('.command code')) ?? '';
    const picked = Date.parse(/-timestamp (\S+)/.exec(text)?.[1] ?? '');
    expect(Math.abs(picked - (source.endMs - 48 * 3_600_000))).toBeLessThan(3_600_000);
    await page.click('.plan button:has-text("Newest")');
    await until(
      page,
      "!document.querySelector('.command code').textContent.includes('-timestamp')",
    );
    expect(faults).toEqual([]);
  });

  test('restores and downloads only after signing in with the token', async () => {
    const { url, source } = await site([status('/data/app.db')], { token: TOKEN });
    const { page, faults } = await openPage(browser);
    await page.goto(`${url}/#db=${encodeURIComponent('/data/app.db')}`);
    await page.waitForSelector('.plan strong');
    expect(await page.locator('button:has-text("Download")').count()).toBe(0);
    await page.click('header >> text=Sign in');
    await page.fill('dialog input[type=password]', 'wrong');
    await page.click('dialog button.primary');
    await page.waitForSelector('dialog [role=alert]');
    faults.length = 0; // the browser reports the refusal
    await page.fill('dialog input[type=password]', TOKEN);
    await page.click('dialog button.primary');
    await page.waitForSelector('text=Sign out');
    expect(await page.evaluate('document.cookie')).toBe('');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.click('button:has-text("Download")'),
    ]);
    expect(download.suggestedFilename()).toBe('app.db');
    await page.fill('input[name=output]', '/tmp/restored.db');
    await page.click('button:has-text("Restore")');
    await page.waitForSelector('text=Restored to /tmp/restored.db');
    expect(source.restored.map(({ output }) => output)).toEqual(['/tmp/restored.db']);
    await page.click('text=Sign out');
    await page.waitForSelector('header >> text=Sign in');
    expect(faults).toEqual([]);
  });

  test('where only the token may read, asks for it first, and again when the session is over', async () => {
    const options = { token: TOKEN, readers: 'token' } as const;
    const { url, stop, start } = await site([status('/data/app.db')], options);
    const { page, faults } = await openPage(browser);
    await page.goto(url);
    await page.fill('input[type=password]', TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector(green);
    expect(faults).toEqual([]);
    await page.context().clearCookies();
    await stop();
    await start();
    await page.waitForSelector('input[type=password]');
    expect(await page.locator('.grid').count()).toBe(0);
  });

  test.each([
    ['light', undefined],
    ['dark', undefined],
    ['light', PHONE],
    ['dark', PHONE],
  ] as const)(
    'axe finds nothing serious, and nothing is too wide: %s, %o',
    async (colorScheme, device) => {
      const databases = [status('/data/users.db'), status('/data/queue.db', { state: 'opening' })];
      const { url, source } = await site([failingStatus('/data/app.db'), ...databases], {
        token: TOKEN,
      });
      const { page, faults } = await openPage(browser, { colorScheme, ...device });
      await page.goto(url);
      await page.waitForSelector(red);
      const back = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
      const [brightness = 0] = (/\d+/.exec(back) ?? []).map(Number);
      expect(brightness > 128).toBe(colorScheme === 'light');
      expect(await seriousProblems(page)).toEqual([]);
      expect(await widthBeyond(page)).toBeLessThanOrEqual(0);
      await page.click('.line >> nth=0');
      await page.waitForSelector('.plan strong');
      await page.waitForSelector('.u-legend');
      expect(await seriousProblems(page)).toEqual([]);
      expect(await widthBeyond(page)).toBeLessThanOrEqual(0);
      await page.goBack();
      source.statuses = [];
      await page.waitForSelector('[data-color=amber]');
      expect(await seriousProblems(page)).toEqual([]);
      expect(faults).toEqual([]);
    },
  );

  test('the theme can be chosen, and is kept', async () => {
    const { url } = await site([status('/data/app.db')]);
    const { page } = await openPage(browser, { colorScheme: 'light' });
    await page.goto(url);
    await page.click('[aria-label="Theme: system"]');
    await page.reload();
    await page.waitForSelector('[aria-label="Theme: dark"]');
    expect(await page.getAttribute('html', 'data-theme')).toBe('dark');
  });

  // Not a skipped test: in CI, none may be skipped.
  if (WRITES_SCREENSHOTS) test('screenshots of the documentation', writeScreenshots);

  async function writeScreenshots(): Promise<void> {
    const names = ['app', 'billing', 'orders', 'queue', 'sessions', 'users'];
    const databases = names.map((name) => status(`/data/${name}.db`));
    const { url, source } = await site(databases, { token: TOKEN });
    const size = { width: 1160, height: 700 };
    const { page } = await openPage(browser, { colorScheme: 'light', viewport: size });
    await page.goto(url);
    await page.waitForSelector(green);
    await screenshot(page, 'overview');
    source.statuses = databases.map((each, index) =>
      index === 2 ? failingStatus(each.path) : each,
    );
    await page.waitForSelector(red);
    await page.emulateMedia({ colorScheme: 'dark' });
    await screenshot(page, 'red');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.click('.line >> nth=0');
    await page.waitForSelector('.plan strong');
    await page.waitForSelector('.u-legend');
    await page.setViewportSize({ width: 1160, height: 1_200 });
    await screenshot(page, 'database');
    expect(fs.existsSync(path.join(DOCS, 'page-overview.png'))).toBe(true);
  }
});
