/** What lies beside a backup of Litestream 0.3 does not hide it, and is not hidden by it. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { countRows } from '../support/database.ts';
import { expectedOf, goldenBucket, sha256 } from '../support/golden.ts';
import {
  bothLayouts,
  GENERATION,
  LATEST,
  moments,
  objectsIn,
  oldBucket,
} from '../support/old-bucket.ts';
import { scene } from '../support/scene.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const STRAY = '0123456789abcdef';
const ltx = expectedOf('block-4k').at(-1);

function restoring(bucket: string, ...more: string[]): { words: string[]; output: string } {
  const output = path.join(temporaryFolder(), 'app.db');
  return { words: ['restore', ...more, '-o', output, `file://${bucket}`], output };
}

/** Adds an object below generations/, newer than all others. */
function addNewest(bucket: string, name: string, content: string): void {
  const file = path.join(bucket, 'generations', name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  writeFile(path.dirname(file), path.basename(file), content);
}

test('an unknown object below generations/ does not hide LTX files, and is named', async () => {
  const bucket = goldenBucket('block-4k');
  addNewest(bucket, `${STRAY}/notes.txt`, 'x');
  for (const flags of [[], ['-if-replica-exists'], ['-if-db-not-exists']]) {
    const { words, output } = restoring(bucket, ...flags);
    const { code, stderr } = await sluice(words);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/left out, .* generations 0123456789abcdef \(.*\/notes.txt\)/),
    ]);
    expect(sha256(output)).toBe(ltx?.file_sha256);
  }
  const { stdout } = await sluice(restoring(bucket, '-dry-run').words);
  expect(stdout).toContain(`generations ${STRAY} (`);
});

test('what a crash of Litestream 0.3 left does not hide the generation before it, and is named', async () => {
  const bucket = oldBucket();
  addNewest(bucket, `${STRAY}/snapshots/00000000.snapshot.lz4.tmp`, 'x');
  const { words, output } = restoring(bucket, '-if-db-not-exists');
  const { code, stderr } = await sluice(words);
  expect([code, stderr]).toEqual([0, expect.stringContaining('00000000.snapshot.lz4.tmp')]);
  expect(sha256(output)).toBe(LATEST);
});

test('if the newest generation cannot be restored, the error names the others, and the LTX files', async () => {
  const { database, backup: bucket } = scene(3);
  expect((await sluice(['replicate', '-once', database, `file://${bucket}`])).code).toBe(0);
  const other = 'fedcba9876543210';
  const source = path.join(oldBucket(), 'generations', GENERATION);
  for (const id of [GENERATION, other]) {
    fs.cpSync(source, path.join(bucket, 'generations', id), { recursive: true });
  }
  for (const file of objectsIn(bucket)) {
    const later = new Date(Date.now() + (file.includes(other) ? 30_000 : 60_000));
    fs.utimesSync(file, later, later);
    if (file.includes(`${GENERATION}/snapshots`)) fs.rmSync(file);
  }
  const { code, stderr } = await sluice(restoring(bucket, '-if-replica-exists').words);
  expect(code).toBe(5);
  expect(stderr).toMatch(/generation 372397bae1f78807 of Litestream 0.3 has no snapshot/);
  expect(stderr).toMatch(/-generation fedcba9876543210 \(last upload 20.*\)/);
  expect(stderr).toMatch(/LTX files there can be restored with -txid 0000000000000001/);
  const old = restoring(bucket, '-generation', other);
  expect((await sluice(old.words)).code).toBe(0);
  expect(sha256(old.output)).toBe(LATEST);
  const files = restoring(bucket, '-txid', '0000000000000001');
  expect((await sluice(files.words)).code).toBe(0);
  expect(countRows(files.output)).toBe(3);

  // The same if the damage is found only while reading.
  const snapshot = path.join(bucket, 'generations', GENERATION, 'snapshots/00000000.snapshot.lz4');
  fs.copyFileSync(
    path.join(source, 'wal', fs.readdirSync(path.join(source, 'wal'))[0] ?? ''),
    snapshot,
  );
  const again = await sluice(restoring(bucket).words);
  expect(again.code).toBe(5);
  expect(again.stderr).toMatch(
    /00000000.snapshot.lz4 .* is not a SQLite database.*-generation fedcba.*-txid 0000000000000001/,
  );
});

test('-generation at LTX files only is an error, also with -if-replica-exists', async () => {
  const words = ['-generation', GENERATION, '-if-replica-exists'];
  const { code, stderr } = await sluice(restoring(goldenBucket(), ...words).words);
  expect(code).toBe(10);
  expect(stderr).toMatch(/generation 372397bae1f78807 is not stored .* leave out -generation/);
  const empty = await sluice(restoring(temporaryFolder(), ...words).words);
  expect([empty.code, empty.stdout]).toEqual([0, expect.stringContaining('nothing to do')]);
});

test('-index after the last one is an error that names the last one', async () => {
  const words = ['-generation', GENERATION, '-index', '5'];
  const { code, stderr } = await sluice(restoring(oldBucket(), ...words).words);
  expect(code).toBe(10);
  expect(stderr).toMatch(/no WAL with index 00000005: the highest index is 00000000/);
});

test('the note about a time in the past is about that time', async () => {
  const { at = '' } = moments[4] ?? {};
  const { code, stderr } = await sluice(restoring(bothLayouts('later'), '-timestamp', at).words);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/its state at that time is in the backup/),
  ]);
  expect(stderr).not.toContain('newest state');
});
