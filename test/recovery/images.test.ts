/**
 * A full snapshot is exactly the state of its TXID: with commits and checkpoints between any two steps
 * of its copy, `-txid n` restores the database as it was at n, byte for byte, also with Litestream.
 */

import fs from 'node:fs';
import path from 'node:path';
import { toTXID } from '@sluice/core/backend/testing';
import { formatTXID } from '@sluice/core/ltx';
import { describe, expect, test } from 'vitest';
import { randomFrom, seedOf } from '../../packages/core/test/support/random.ts';
import { App, compare } from './app.ts';
import { INTERRUPTED_UPLOADS } from './interrupted-uploads.ts';
import { Disturbed } from './disturbed.ts';
import { restoreWithLitestream } from './rival.ts';
import { Sidecar } from './sidecar.ts';
import { toolIfThere } from './tool-if-there.ts';

const LITESTREAM = toolIfThere('litestream-0.5.17');
/** Levels below this hold merged increments; 9 holds snapshots of all pages. */
const MERGED_LEVELS_END = 9;
/** Minimum number of copy steps of each of the three full snapshots. */
const STEPS_MIN = 10;

test.for([
  { pageSize: 4096, pageEncoding: 'block' },
  { pageSize: 512, pageEncoding: 'block' },
  { pageSize: 16384, pageEncoding: 'frame' },
] as const)(
  'full snapshots beside a busy writer are exact: page size $pageSize, encoding $pageEncoding',
  async (options) => {
    const seed = seedOf();
    console.log(`SLUICE_SEED=${seed}`);
    const disturbed = new Disturbed(options, randomFrom(seed));
    const first = await disturbed.imaged();
    const snapshot = await disturbed.snapshot();
    const second = await disturbed.imagedAgain();
    const last = await disturbed.end();
    disturbed.fillBuckets(snapshot);

    expect(first).toBe(1n);
    expect(snapshot).toBeGreaterThan(first);
    expect(second).toBeGreaterThan(snapshot);
    for (const [txid, bytes] of disturbed.truth) {
      expect(
        compare(await disturbed.app.restored('chain', txid), bytes),
        `TXID ${formatTXID(txid)}`,
      ).toBe('equal');
    }
    expect(disturbed.truth.has(last)).toBe(true);
    // A snapshot equals the state of its chain, and later increments apply on top of it.
    for (const txid of [snapshot, last]) {
      const chain = await disturbed.app.restored('chain', txid);
      expect(compare(await disturbed.app.restored('snapshot', txid), chain)).toBe('equal');
    }
    for (const txid of LITESTREAM === undefined ? [] : [first, snapshot, second, last]) {
      const theirs = path.join(disturbed.app.folder, 'litestream.db');
      for (const bucket of txid < snapshot ? ['chain'] : ['chain', 'snapshot']) {
        const folder = disturbed.app.bucket(bucket);
        expect(
          restoreWithLitestream(LITESTREAM ?? '', folder, theirs, formatTXID(txid)),
        ).toBeUndefined();
        const ours = await disturbed.app.restored(bucket, txid);
        expect(compare(fs.readFileSync(theirs), ours), `${bucket} at ${formatTXID(txid)}`).toBe(
          'equal',
        );
      }
    }
    expect(disturbed.counts.steps).toBeGreaterThanOrEqual(STEPS_MIN * 3);
    expect(disturbed.counts.commits).toBeGreaterThan(disturbed.counts.steps);
    expect(disturbed.counts.checkpoints).toBeGreaterThan(0);
    expect(disturbed.counts.restarts).toBeGreaterThan(0);
  },
);

describe('the latest state can be restored when power is lost during the upload of', () => {
  for (const { name: upload, order, prepare } of INTERRUPTED_UPLOADS) {
    test.for([...order.keys(), order.length])(`${upload}, after %i files`, async (files) => {
      const app = new App();
      const before = await prepare(app);
      const known = new Set(filesIn(app.bucket('a')));
      const names = fs.existsSync(app.bucket('b')) ? ['a', 'b'] : ['a'];
      const sidecar = new Sidecar({
        ...app.replicatedTo(...names),
        killAfter: { name: 'a', files },
      });
      await sidecar.ended();

      const sent = filesIn(app.bucket('a')).filter((name) => !known.has(name));
      expect(sent.sort()).toEqual(expectedFiles(order.slice(0, files), sent).sort());
      await expectLatest(app, files === 0 ? before : app.bytes());

      const next = new Sidecar(app.replicatedTo(...names));
      app.add(1);
      await next.settled();
      await expectLatest(app, app.bytes());
      expect(gapsFor(filesIn(app.bucket('a')))).toEqual([]);
    });
  }
});

/** Turns patterns like `9/1-n` into file names, where n is the highest TXID in `sent`. */
function expectedFiles(order: readonly string[], sent: readonly string[]): string[] {
  const n =
    sent
      .map((name) => name.slice(-16))
      .sort()
      .at(-1) ?? '';
  return order.map((pattern) => {
    const [level = '', least = ''] = pattern.split(/[/-]/);
    const minTXID = least === 'n' ? n : formatTXID(toTXID(Number(least)));
    return `${level}/${minTXID}-${n}`;
  });
}

/** Files of all levels, without their extension. */
function filesIn(bucket: string): string[] {
  if (!fs.existsSync(bucket)) return [];
  const names = fs.readdirSync(bucket, { recursive: true, encoding: 'utf8' });
  return names.flatMap((name) => /^ltx\/(.*)\.ltx$/.exec(name)?.slice(1) ?? []);
}

/** Gaps at which Litestream's next merge would stop: unmerged files must follow the merged ones. */
function gapsFor(files: readonly string[]): string[] {
  const gaps: string[] = [];
  for (let level = 1; level < MERGED_LEVELS_END; level++) {
    let top = rangesOf(files, level).at(-1)?.max;
    if (top === undefined) continue;
    for (const { min, max } of rangesOf(files, level - 1)) {
      if (min <= top) continue;
      if (min !== top + 1) gaps.push(`level ${level} ends with ${top}, ${min} follows below`);
      top = max;
    }
  }
  return gaps;
}

function rangesOf(files: readonly string[], level: number): { min: number; max: number }[] {
  return files
    .filter((name) => name.startsWith(`${level}/`))
    .sort()
    .map((name) => ({
      min: Number.parseInt(name.slice(2, 18), 16),
      max: Number.parseInt(name.slice(19), 16),
    }));
}

async function expectLatest(app: App, expected: Buffer | undefined): Promise<void> {
  if (expected === undefined) {
    await expect(app.restored('a')).rejects.toMatchObject({
      code: expect.stringMatching(/^(RESTORE_NO_SNAPSHOT|REPLICA_DESTINATION_NOT_FOUND)$/),
    });
    return;
  }
  expect(compare(await app.restored('a'), expected)).toBe('equal');
  if (LITESTREAM === undefined) return;
  const theirs = path.join(app.folder, 'litestream.db');
  expect(restoreWithLitestream(LITESTREAM, app.bucket('a'), theirs)).toBeUndefined();
  expect(compare(fs.readFileSync(theirs), expected), 'Litestream').toBe('equal');
}
