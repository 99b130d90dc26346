/** A warm copy follows an encrypted backup: its files are listed with other sizes than their bytes have. */

import { expect, onTestFinished, test } from 'vitest';
import { newKeys } from '../encryption/keys.ts';
import { EncryptedMirror } from '../encryption/mirror.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source } from './source.ts';

test.for([7n, 0n])('an encrypted backup of lineage %i is followed', async (lineage) => {
  const folder = temporaryFolder();
  const bucket = new Bucket();
  const source = new Source(folder, bucket, { lineage });
  onTestFinished(() => source.close());
  const mirror = new EncryptedMirror(bucket, await newKeys());
  await mirror.update();
  const following = await Following.start(folder, { clients: [mirror.reader()] });
  await following.expectState(source);
  for (let commit = 0; commit < 3; commit++) {
    source.transfer();
    await mirror.update();
    await following.expectState(source);
  }
  await following.stop();
  source.transfer();
  await mirror.update();
  const again = await Following.start(folder, { clients: [mirror.reader()] });
  await again.expectState(source);
  expect(again.events.filter(({ kind }) => kind === 'failing' || kind === 'rebased')).toEqual([]);
});
