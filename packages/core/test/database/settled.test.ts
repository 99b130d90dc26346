/** A look at the log that does not settle is no success, and for longer it is a failure. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { UNSETTLED_MS_MAX } from '../../src/database/unsettled.ts';
import { Watched } from './watched.ts';

/** SQLite says that frames are committed, and the file does not have them: what it has comes back. */
function hideLog(watched: Watched): () => void {
  const file = `${watched.path}-wal`;
  const bytes = fs.readFileSync(file);
  fs.truncateSync(file, 0);
  return () => fs.writeFileSync(file, bytes, { flag: 'r+' });
}

test('a sync ends only with a look that is held, and has what was committed before it', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  watched.commit();
  const showLog = hideLog(watched);
  let txid: bigint | undefined;
  const syncing = engine.sync().then((result) => (txid = result));
  await new Promise((resolve) => setTimeout(resolve, 50)); // looks, none of which is held
  expect(txid).toBeUndefined();
  showLog();
  await syncing;
  expect(txid).toBe(2n);
  expect(watched.all('failed')).toEqual([]);
});

test('a log that does not settle for long is a failure with its reason, of a sync too', async () => {
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
  watched.clock.leap(UNSETTLED_MS_MAX);
  await refused;
  const { message } = await watched.next('failed');
  expect(message).toMatch(/^follow the WAL of .*app\.db: for 5 s /);
});

test('an end that cannot see what is committed says so', async () => {
  const watched = new Watched();
  watched.commit();
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  watched.commit();
  hideLog(watched);
  const closing = engine.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  watched.clock.leap(UNSETTLED_MS_MAX);
  await closing;
  expect(watched.all('failed')).toMatchObject([{ code: 'WAL_INVALID' }]);
});
