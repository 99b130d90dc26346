/** Which clock answers which question. */

import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { alignedMs, systemClock } from '../src/clock.ts';

const ROOT = path.resolve(import.meta.dirname, '..', '..', '..');
const CLOCK = 'packages/core/src/clock.ts';
/** These give a time that is written, or that another's clock is compared with: never a duration. */
const WALL_TIMES: ReadonlySet<string> = new Set([
  CLOCK,
  // Until when a token or a lock is valid: sent to the server as a date.
  'packages/azure/src/container.ts',
  'packages/s3/src/bucket.ts',
  'packages/s3/src/sdk.ts',
  // When an object was written, where the server does not say.
  'packages/gcs/src/upload.ts',
  // Whether a file is old: the times of files of this machine are of its wall clock.
  'packages/file/src/files.ts',
  // Of metrics and rows of the page: the age of times that a status or a drill has written.
  'apps/cli/src/http/start.ts',
  'apps/dashboard/src/feed.ts',
  // When something was measured, for the plots of the page.
  'apps/cli/src/page/create-page.ts',
  // Until when a session is valid: written in its cookie.
  'apps/dashboard/src/access.ts',
  // Of cases of the kit that compare a server's time with ours.
  'packages/backend-test-kit/src/cases/list.ts',
]);

function sources(): string[] {
  return ['packages', 'apps']
    .flatMap((parent) => fs.readdirSync(path.join(ROOT, parent)).map((name) => `${parent}/${name}`))
    .flatMap((folder) => {
      const src = path.join(ROOT, folder, 'src');
      if (!fs.existsSync(src)) return [];
      const names = fs.readdirSync(src, { recursive: true, encoding: 'utf8' });
      return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/src/${name}`);
    });
}

test('the wall clock is asked for times only, and only in places that are known', () => {
  const asking = sources().filter((file) =>
    /\bDate\.now\b/.test(fs.readFileSync(path.join(ROOT, file), 'utf8')),
  );
  expect(asking).toContain(CLOCK);
  expect(asking.filter((file) => !WALL_TIMES.has(file))).toEqual([]);
});

test('the monotonic clock is one for all threads', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData).then(({ systemClock }) => parentPort.postMessage(systemClock.monotonic()));`;
  const before = systemClock.monotonic();
  const worker = new Worker(code, { eval: true, workerData: path.join(ROOT, CLOCK) });
  const [there] = (await once(worker, 'message')) as [number];
  const after = systemClock.monotonic();
  await worker.terminate();
  expect(before).toBeLessThan(there);
  expect(there).toBeLessThan(after);
});

test('what is due at an interval is due at few moments, never later than that, whenever it began', () => {
  const dues = new Set<number>();
  for (let began = 1_000_000; began < 1_060_000; began += 7.3) {
    const waitMs = alignedMs({ monotonic: () => began }, 10_000);
    expect(waitMs).toBeLessThanOrEqual(10_000);
    expect(waitMs).toBeGreaterThanOrEqual(9_000);
    dues.add(Math.floor(began + waitMs));
  }
  expect(dues.size).toBeLessThanOrEqual(61); // one a second, although 8,000 began
  expect(alignedMs({ monotonic: () => 5.5 }, 1)).toBe(1);
});
