import fs from 'node:fs';
import { expect, test, vi } from 'vitest';
import { Watched } from './watched.ts';

/** Advances the time so that everything periodic is due, and waits for the look that does it. */
async function lookAgain(watched: Watched): Promise<void> {
  watched.clock.advance(2_000);
  const now = Math.floor(watched.clock.monotonic());
  await expect
    .poll(() => watched.gauges.get('lookedAt'), { interval: 5 })
    .toBeGreaterThanOrEqual(now);
}

test('an idle database is looked at without an fsync', async () => {
  const fsync = vi.spyOn(fs, 'fsyncSync');
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  await engine.sync();
  // The position at rest needs a file whose times have settled.
  await expect
    .poll(async () => {
      await lookAgain(watched);
      return fsync.mock.calls.length;
    })
    .toBeGreaterThan(0);
  await lookAgain(watched);
  const before = fsync.mock.calls.length;
  for (let looks = 0; looks < 5; looks++) await lookAgain(watched);
  expect(fsync.mock.calls.length).toBe(before);
  watched.commit();
  await engine.sync();
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  await expect
    .poll(async () => {
      await lookAgain(watched);
      return fsync.mock.calls.length;
    })
    .toBeGreaterThan(before);
});
