/**
 * The page over many databases, in Chromium: its first paint, its verdict, a search, and what it costs the replicator to
 * keep it up to date while nothing changes.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { launch } from '../page/browser.ts';
import { inFolder, print, quantile, round, type Row } from './bench.ts';
import { serveDatabases } from './served-databases.ts';

const MANY = 5_000;
const IDLE = 1_000;
const LOADS = 9;
const OPEN_MS = 30_000;
const SETTLE_MS = 2_000;
const FIRST_PAINT_MS_MAX = 1_000;
const CORE_PERCENT_MAX = 1;

interface Load {
  readonly paintMs: number;
  /** Until the verdict and the table are there. */
  readonly tableMs: number;
  readonly searchMs: number;
}

/** In a new profile, as for the first visit. */
async function load(browser: Browser, url: string): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  try {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForSelector('.line');
    const [paintMs, tableMs] = await page.evaluate<[number, number]>(`[
      performance.getEntriesByName('first-contentful-paint')[0].startTime,
      performance.now(),
    ]`);
    const searchMs = await page.evaluate<number>(`new Promise((resolve) => {
      const input = document.querySelector('input[type=search]');
      const startedMs = performance.now();
      input.value = '${MANY - 1}.db';
      input.dispatchEvent(new Event('input', { bubbles: true }));
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - startedMs)));
    })`);
    return { paintMs, tableMs, searchMs };
  } finally {
    await context.close();
  }
}

/** Processor time of this process, which is the replicator, in percent of a core. */
async function processorPercent(): Promise<number> {
  await sleep(SETTLE_MS);
  const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
  await sleep(OPEN_MS);
  const { user, system } = process.cpuUsage(cpu);
  return ((user + system) / 1_000 / (performance.now() - startedMs)) * 100;
}

/** What an open page adds: some of the databases are followed, which costs the same without it. */
async function costOfOpenPage(browser: Browser, url: string): Promise<number> {
  const closed = await processorPercent();
  const page = await browser.newPage();
  await page.goto(url);
  await page.waitForSelector('.line');
  const open = await processorPercent();
  await page.close();
  return Math.max(0, open - closed);
}

async function measureLoads(browser: Browser): Promise<Row[]> {
  return await inFolder(async (folder) => {
    await using served = await serveDatabases(folder, MANY);
    const loads: Load[] = [];
    for (let run = 0; run < LOADS; run++) loads.push(await load(browser, served.url));
    const row = (what: string, kind: keyof Load, bar?: number): Row => ({
      what: `${MANY} databases: ${what}`,
      unit: 'ms',
      ours: round(
        quantile(
          loads.map((each) => each[kind]),
          0.5,
        ),
        0,
      ),
      ...(bar !== undefined && { bar }),
      lowerIsBetter: true,
    });
    return [
      row('first paint', 'paintMs', FIRST_PAINT_MS_MAX),
      row('verdict and table', 'tableMs'),
      row('a search is drawn', 'searchMs'),
    ];
  });
}

async function measureOpen(browser: Browser): Promise<Row> {
  return await inFolder(async (folder) => {
    await using served = await serveDatabases(folder, IDLE);
    const percent = await costOfOpenPage(browser, served.url);
    return {
      what: `${IDLE} databases: processor that an open page adds`,
      unit: '% of a core',
      ours: round(percent, 2),
      bar: CORE_PERCENT_MAX,
      lowerIsBetter: true,
    };
  });
}

const browser = await launch();
try {
  const rows = [...(await measureLoads(browser)), await measureOpen(browser)];
  print(
    'page',
    rows,
    `Chromium, a new profile each time; medians of ${LOADS} loads; ${OPEN_MS / 1_000} s with the page open`,
  );
} finally {
  await browser.close();
}
