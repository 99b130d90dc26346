/** Folders with copies that are kept between drills. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { keptFolderOf, removeUnusedCopies, type KeptPlace } from '../../src/drilling/kept.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('only copies of these databases that no drill will use are removed', async () => {
  const scratch = temporaryFolder();
  const place = (metaPath: string, name: string, keptBytesMax?: number): KeptPlace => ({
    metaPath,
    destination: { name, target: `file:///${name}` },
    settings: { scratch, keptBytesMax },
  });
  const used = place('/data/.app.db-sluice', 'one', 1);
  const turnedOff = place('/data/.app.db-sluice', 'two');
  const removed = place('/data/.app.db-sluice', 'three', 1);
  const other = place('/data/.other.db-sluice', 'one', 1);
  for (const each of [used, turnedOff, removed, other]) fs.mkdirSync(keptFolderOf(each));
  fs.mkdirSync(path.join(scratch, 'sluice-drill-0123456789abcdef'));
  await removeUnusedCopies([used, turnedOff]);
  const left = fs.readdirSync(scratch).map((name) => path.join(scratch, name));
  expect(left).toContain(keptFolderOf(used));
  expect(left).toContain(keptFolderOf(other));
  expect(left).toHaveLength(3);
});

test('a scratch folder that does not exist is no error here', async () => {
  const settings = { scratch: path.join(temporaryFolder(), 'missing'), keptBytesMax: 1 };
  const destination = { name: 'one', target: 'file:///one' };
  const places = [{ metaPath: '/data/.app.db-sluice', destination, settings }];
  await expect(removeUnusedCopies(places)).resolves.toBeUndefined();
});
