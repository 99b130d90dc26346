/** An inconsistent look at the log does not complete a sync, and is a failure if it lasts. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { UNSETTLED_MS_MAX } from '../../src/database/unsettled.ts';
import { Watched } from './watched.ts';

/** Truncates the log, so that committed frames are missing. Returns a function that restores it. */
function hideLog(watched: Watched): () => void {
  const file = `${watched.path}-wal`;
  const bytes = fs.readFileSync(file);
  fs.truncateSync(file, 0);
  return () => fs.writeFileSync(file, bytes, { flag: 'r+' });
}

test('a sync resolves only after a consistent look, and includes all earlier commits', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  watched.commit();
  const restoreLog = hideLog(watched);
  let txid: bigint | undefined;
  const syncing = engine.sync().then((result) => (txid = result));
  await new Promise((resolve) => setTimeout(resolve, 50)); // several looks, all inconsistent
  expect(txid).toBeUndefined();
  restoreLog();
  await syncing;
  expect(txid).toBe(2n);
  expect(watched.all('failed')).toEqual([]);
});

test('a log that stays inconsistent is a failure with its reason, also for a sync', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  watched.commit();
  hideLog(watched);
  const syncing = engine.sync();
  const refused = expect(syncing).rejects.toMatchObject({
    code: 'WAL_INVALID',
    message: expect.stringMatching(/for 5 s SQLite reports .* no valid header/),
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  watched.clock.advance(UNSETTLED_MS_MAX);
  await refused;
  const { message } = await watched.next('failed');
  expect(message).toMatch(/^follow the WAL of .*app\.db: for 5 s /);
});

test('close reports that it could not read all commits', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  watched.commit();
  hideLog(watched);
  const closing = engine.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  watched.clock.advance(UNSETTLED_MS_MAX);
  await closing;
  expect(watched.all('failed')).toMatchObject([{ code: 'WAL_INVALID' }]);
});

test('a sync counts as staged all commits until it began, even if the file was checked just before', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  for (let sync = 0; sync < 3; sync++) {
    const since = Math.floor(watched.clock.monotonic());
    await engine.sync();
    expect(watched.gauges.get('stagedAsOf')).toBeGreaterThanOrEqual(since);
    watched.clock.advance(1);
  }
});
