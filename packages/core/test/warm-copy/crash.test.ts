/** A change of a warm copy that ends at any instruction leaves the state before it or the one after it. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { lockPgno } from '../../src/ltx/header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { Change, TargetState } from '../../src/warm-copy/change.ts';
import { Copy } from '../../src/warm-copy/copy.ts';
import { copyPathsOf, type CopyPaths } from '../../src/warm-copy/copy-paths.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { crashAt } from './crash.ts';
import { fastPorts, Following } from './following.ts';
import { contentOf, joined, Source, TOTAL } from './source.ts';

const STEPS_MAX = 400;
const APPLYING = { signal: new AbortController().signal, onBlocked: () => undefined };

/** A whole image as a change. */
function changeTo(image: readonly Uint8Array[]): Change {
  const pageSize = image[0]?.length ?? 0;
  const pgnos = image.map((_, at) => at + 1).filter((pgno) => pgno !== lockPgno(pageSize));
  return {
    pageSize,
    commit: image.length,
    pgnos: () => pgnos,
    has: (pgno) => pgnos.includes(pgno),
    read: (pgno, into) => into.set(image[pgno - 1] as Uint8Array),
  };
}

function targetOf(txid: number): TargetState {
  const last = {
    level: 0,
    minTXID: toTXID(txid),
    maxTXID: toTXID(txid),
    sizeBytes: 9,
    checksum: 9n,
  };
  return { txid: toTXID(txid), lineage: 7n, timestampMs: 1, last };
}

async function openCopy(paths: CopyPaths): Promise<Copy> {
  const copy = await Copy.open(paths, fastPorts, APPLYING);
  if (copy === undefined) throw new Error('there is no copy');
  return copy;
}

async function settle(copy: Copy): Promise<bigint> {
  await copy.settle(APPLYING);
  return copy.state.txid;
}

/** In a process of its own: closing a descriptor here would drop the locks of SQLite. */
function pageAt(file: string, pgno: number): Uint8Array {
  const script = `const fs = require('fs'); const page = Buffer.alloc(65536);
    fs.readSync(fs.openSync(process.argv[1]), page, 0, 65536, (process.argv[2] - 1) * 65536);
    fs.writeSync(1, page)`;
  const { stdout } = spawnSync(process.execPath, ['-e', script, file, String(pgno)]);
  return new Uint8Array(stdout);
}

interface Pair {
  readonly before: readonly Uint8Array[];
  readonly after: readonly Uint8Array[];
  /** A folder with a copy of the state before. */
  readonly folder: string;
  readonly txid: number;
}

async function pairOf(change: (source: Source, bucket: Bucket) => Source): Promise<Pair> {
  const folder = temporaryFolder();
  const bucket = new Bucket();
  const source = new Source(folder, bucket);
  onTestFinished(() => source.close());
  source.fill(12);
  const following = await Following.start(folder, { clients: [bucket.client()] });
  await following.expectState(source);
  await following.stop();
  const before = source.imageOf(source.txid);
  const changed = change(source, bucket);
  return { before, after: changed.imageOf(changed.txid), folder, txid: changed.txid };
}

/** What SQLite reads, after it has rolled back a journal. */
function readBySQLite(file: string): { sum: unknown; check: unknown; bytes: Uint8Array } {
  const database = new Database(file);
  try {
    const sum = database.prepare('SELECT sum(balance) FROM accounts').pluck().get();
    const check = database.pragma('integrity_check', { simple: true });
    return { sum, check, bytes: new Uint8Array(fs.readFileSync(file)) };
  } finally {
    database.close();
  }
}

describe.each<[string, (source: Source, bucket: Bucket) => Source]>([
  ['some pages', (source) => (source.transfer(), source)],
  ['a larger database', (source) => (source.fill(9), source)],
  [
    'a smaller database',
    (source) => {
      source.commit('DELETE FROM notes');
      source.commit('VACUUM');
      return source;
    },
  ],
  [
    'another page size',
    (source, bucket) => {
      const other = new Source(temporaryFolder(), bucket, {
        pageSize: 4096,
        lineage: 8n,
        first: source.txid + 1,
      });
      onTestFinished(() => other.close());
      return other;
    },
  ],
])('a change to %s', (_, makeChange) => {
  test('that ends at any step leaves one of the two states, and is completed by the next start', async () => {
    const { before, after, folder, txid } = await pairOf(makeChange);
    const isEqual = (bytes: Uint8Array, image: readonly Uint8Array[]): boolean =>
      Buffer.compare(contentOf(bytes), contentOf(joined(image))) === 0;
    const found = { before: 0, after: 0 };
    let step = 1;
    for (; step < STEPS_MAX; step++) {
      const scratch = temporaryFolder();
      fs.cpSync(folder, scratch, { recursive: true });
      const paths = copyPathsOf(path.join(scratch, 'copy.db'));
      const copy = await openCopy(paths);
      const { kind } = await crashAt(step, async () => {
        await copy.apply(changeTo(after), targetOf(txid), APPLYING);
      });
      // The process may also go on, after a full disk for example.
      const settled = step % 2 === 0 ? await settle(copy) : undefined;
      copy.close();
      const { sum, check, bytes } = readBySQLite(paths.database);
      expect([step, sum, check]).toEqual([step, TOTAL, 'ok']);
      const state = isEqual(bytes, after) ? 'after' : 'before';
      expect([step, isEqual(bytes, state === 'after' ? after : before)]).toEqual([step, true]);
      found[state] += 1;
      if (settled !== undefined) {
        expect([step, settled === BigInt(txid)]).toEqual([step, state === 'after']);
      }

      const again = await openCopy(paths);
      expect(again.state.txid === BigInt(txid)).toBe(state === 'after');
      await again.apply(changeTo(after), targetOf(txid), APPLYING);
      again.close();
      expect(isEqual(new Uint8Array(fs.readFileSync(paths.database)), after)).toBe(true);
      fs.rmSync(scratch, { recursive: true });
      if (kind === 'completed') break;
    }
    expect(step).toBeLessThan(STEPS_MAX);
    expect(found.before).toBeGreaterThan(5);
    expect(found.after).toBeGreaterThanOrEqual(1);
  });
});

test('the lock page is neither written nor journaled', async () => {
  const folder = temporaryFolder();
  const source = new Source(folder, new Bucket(), { pageSize: 65_536 });
  onTestFinished(() => source.close());
  const following = await Following.start(folder, { clients: [source.bucket.client()] });
  await following.expectState(source);
  await following.stop();
  const paths = copyPathsOf(following.output);
  const lock = lockPgno(65_536);
  const sizeOf = (): number => fs.statSync(paths.database).size / 65_536;
  const resized = (commit: number, pgnos: readonly number[], fill = 0): Change => ({
    pageSize: 65_536,
    commit,
    pgnos: () => pgnos,
    has: (pgno) => pgnos.includes(pgno),
    read: (pgno, into) => into.fill((pgno + fill) % 251),
  });
  const copy = await openCopy(paths);
  await copy.apply(
    resized(lock + 3, [lock - 1, lock + 1, lock + 2, lock + 3]),
    targetOf(9),
    APPLYING,
  );
  expect(sizeOf()).toBe(lock + 3);
  expect(pageAt(paths.database, lock).every((byte) => byte === 0)).toBe(true);

  // Ends after the pages were cut off, and before the journal is removed.
  const { calls } = await crashAt(Infinity, async () => {
    await copy.apply(resized(lock - 2, [2]), targetOf(10), APPLYING);
  });
  const removal = calls.findIndex((call) => call.startsWith('rm ')) + 1;
  await copy.apply(
    resized(lock + 3, [lock - 1, lock + 1, lock + 2, lock + 3]),
    targetOf(11),
    APPLYING,
  );
  await crashAt(removal, async () => {
    await copy.apply(resized(lock - 2, [2], 1), targetOf(12), APPLYING);
  });
  expect(sizeOf()).toBe(lock - 2);
  await copy.settle(APPLYING);
  expect([copy.state.txid, sizeOf()]).toEqual([11n, lock + 3]);
  for (const pgno of [lock - 1, lock + 1, lock + 2, lock + 3]) {
    expect(pageAt(paths.database, pgno).every((byte) => byte === pgno % 251)).toBe(true);
  }
  copy.close();
});

test('each step is durable before the next one begins', async () => {
  const { after, folder, txid } = await pairOf((source) => (source.fill(9), source));
  const paths = copyPathsOf(path.join(folder, 'copy.db'));
  const copy = await openCopy(paths);
  const { calls } = await crashAt(Infinity, async () => {
    await copy.apply(changeTo(after), targetOf(txid), APPLYING);
  });
  copy.close();
  // Descriptors are numbers: a run of writes to one file is one step.
  const steps = calls
    .map((call) =>
      call
        .replace(folder, '.')
        .replace(/^(writeSync|fsyncSync|ftruncateSync|fchmodSync) \d+$/, '$1'),
    )
    .filter((call, at, all) => call !== all[at - 1]);
  expect(steps).toEqual([
    'openSync ./.copy.db-sluice-follow/journal',
    'fchmodSync',
    'writeSync',
    'fsyncSync',
    'open ./.copy.db-sluice-follow/position.tmp',
    'rename ./.copy.db-sluice-follow/position.tmp',
    'open ./.copy.db-sluice-follow',
    'rename ./.copy.db-sluice-follow/journal',
    'open .',
    'writeSync',
    'ftruncateSync',
    'fsyncSync',
    'rm ./copy.db-journal',
    'open .',
  ]);
});
