/** An inconsistent look at the log does not complete a sync, and is a failure if it lasts. */

import fs from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
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

test.each(['finished', 'about to finish'])(
  'a sync waits for an image that begins during it, when the one before is %s',
  async (before) => {
    const watched = new Watched();
    watched.commit();
    const engine = watched.start();
    await watched.next('staged');
    if (before === 'finished') await engine.sync();
    watched.commit();
    const syncing = engine.sync();
    engine.image({ floor: 10n, why: 'a test' });
    expect(await syncing).toBe(11n);
    expect(watched.all('failed')).toEqual([]);
  },
);

test('a sync before an image is requested has nothing to wait for', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('opened');
  expect(await engine.sync()).toBeUndefined();
  await watched.next('staged');
  expect(await engine.sync()).toBe(1n);
});

test('a file is not cut by itself shortly before a sync', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  watched.clock.stop(); // the announcement does not expire
  onTestFinished(() => watched.clock.run());
  engine.expectSync();
  watched.commit();
  await new Promise((resolve) => setTimeout(resolve, 200)); // several looks
  expect(watched.all('staged')).toHaveLength(1);
  expect(await engine.sync()).toBe(2n);
});

test('a sync that was announced and does not come does not keep commits from being cut', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  engine.expectSync();
  watched.commit();
  const { file } = await watched.next('staged', ({ content }) => content === 'increment');
  expect(file.maxTXID).toBe(2n);
});
