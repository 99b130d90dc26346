/** The live database is compared only in the exact state of its position, and then every page is. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import {
  formatPosition,
  parsePosition,
  type Position,
} from '../../src/database/continuity/position.ts';
import type { Engine } from '../../src/database/engine.ts';
import { examineLive, type LiveState } from '../../src/drill/live.ts';
import type { KnownState } from '../../src/drill/verdict.ts';
import { Watched } from '../database/watched.ts';
import { temporaryFolder } from '../restore/temporary.ts';

function positionOf({ metaPath }: Watched): Position {
  return parseText(fs.readFileSync(path.join(metaPath, 'position')));
}

function parseText(text: Buffer): Position {
  const position = parsePosition(text.toString());
  if (position === undefined) throw new Error('there is no position');
  return position;
}

/** The state of the database now, as one file. */
function copyOf(watched: Watched): Buffer {
  const database = new Database(watched.path, { readonly: true });
  try {
    return database.serialize();
  } finally {
    database.close();
  }
}

async function examine(
  watched: Watched,
  copy: Uint8Array,
  state: KnownState = positionOf(watched),
  positions: readonly Position[] = [],
): Promise<LiveState> {
  const file = path.join(temporaryFolder(), 'restored.db');
  fs.writeFileSync(file, copy);
  const { txid, lineage } = state;
  const { path: live, metaPath } = watched;
  const restored = { file, txid, lineage };
  return await examineLive({ path: live, metaPath, positions, restored });
}

const comparisonOf = (state: LiveState): unknown =>
  state.kind === 'unknown' ? state.why : state.comparison;
const MOVED_ON = { kind: 'moved on', comparison: undefined };

/** A followed database with an open application and a log. Nothing is unstaged. */
async function followed(): Promise<Watched> {
  return (await follow()).watched;
}

async function follow(): Promise<{ watched: Watched; engine: Engine }> {
  const watched = new Watched();
  watched.commit(20_000);
  const engine = watched.start();
  await watched.next('staged');
  watched.commit(20_000);
  await engine.sync();
  await expect.poll(() => positionOf(watched).txid).toBe(2n);
  return { watched, engine };
}

/** The application and the replicator have ended. There is no log. */
async function closed(): Promise<Watched> {
  const watched = new Watched();
  watched.commit(20_000);
  const engine = watched.start();
  await watched.next('staged');
  await engine.sync();
  watched.app.close();
  await engine.close();
  expect(fs.existsSync(`${watched.path}-wal`)).toBe(false);
  expect(positionOf(watched).atRest).toBe(true);
  return watched;
}

test.each([
  ['with a log', followed],
  ['without a log', closed],
])('a database %s: equal pages, and each page that differs is found', async (_, make) => {
  const watched = await make();
  const before = fs.readdirSync(watched.folder).sort();
  const copy = copyOf(watched);
  if (make === closed) {
    fs.rmSync(`${watched.path}-wal`);
    fs.rmSync(`${watched.path}-shm`);
  }
  const { pageSize, commit } = positionOf(watched);
  expect(comparisonOf(await examine(watched, copy))).toEqual({
    kind: 'equal',
    pages: commit,
    skipped: 0,
  });
  for (const pgno of [1, Math.ceil(commit / 2), commit]) {
    const planted = Buffer.from(copy);
    const at = (pgno - 1) * pageSize + 100;
    planted[at] = (planted[at] ?? 0) ^ 1;
    const found = { kind: 'different', pages: 1, first: pgno };
    expect(comparisonOf(await examine(watched, planted))).toEqual(found);
  }
  const short = copy.subarray(0, copy.length - pageSize);
  const found = { kind: 'different', pages: 1, first: commit };
  expect(comparisonOf(await examine(watched, short))).toEqual(found);
  const long = Buffer.concat([copy, new Uint8Array(pageSize)]); // zeros are a page too
  const more = { kind: 'different', pages: 1, first: commit + 1 };
  expect(comparisonOf(await examine(watched, long))).toEqual(more);
  expect(fs.readdirSync(watched.folder).sort()).toEqual(before); // nothing is left beside the database
});

test('a page that a checkpoint has put into the file since is read from the log', async () => {
  const watched = await followed();
  const copy = copyOf(watched);
  watched.app.pragma('wal_checkpoint(PASSIVE)');
  expect(comparisonOf(await examine(watched, copy))).toMatchObject({ kind: 'equal' });
});

test('a commit that is not staged is "moved on", whatever the pages are', async () => {
  const watched = await followed();
  const copy = copyOf(watched);
  const position = fs.readFileSync(path.join(watched.metaPath, 'position'));
  watched.commit(10);
  await expect.poll(() => positionOf(watched).txid).toBe(3n);
  // The position of a replicator that has not looked since.
  fs.writeFileSync(path.join(watched.metaPath, 'position'), position);
  expect(await examine(watched, copy)).toEqual(MOVED_ON);
});

test('a closed database that was written to is "moved on"', async () => {
  const watched = await closed();
  const copy = copyOf(watched);
  const database = new Database(watched.path);
  database.exec('INSERT INTO t(v) VALUES (1)');
  database.close();
  expect(fs.existsSync(`${watched.path}-wal`)).toBe(false);
  expect(await examine(watched, copy)).toEqual(MOVED_ON);
});

test('a log that restarted is "moved on"', async () => {
  const watched = await closed();
  const copy = copyOf(watched);
  const database = new Database(watched.path);
  database.exec('INSERT INTO t(v) VALUES (1)');
  expect(await examine(watched, copy)).toEqual(MOVED_ON);
  database.close();
});

/** A database that has moved on within one log: `early` is its state at `position`. */
async function movedOn(): Promise<{ watched: Watched; position: Position; early: Buffer }> {
  const watched = new Watched();
  for (let row = 0; row < 5; row += 1) watched.commit(6_000);
  watched.app.pragma('wal_checkpoint(TRUNCATE)'); // most pages are in the file only
  const engine = watched.start();
  await watched.next('staged');
  watched.commit(100);
  await engine.sync();
  // A row that is changed before the position, and after it.
  watched.app.exec(`INSERT INTO t(id, v) VALUES (1000, 'first')`);
  await engine.sync();
  await expect.poll(() => positionOf(watched).txid).toBe(3n);
  const position = positionOf(watched);
  const early = copyOf(watched);
  watched.app.exec(`UPDATE t SET v = 'other' WHERE id = 1000`);
  watched.app.exec(`UPDATE t SET v = zeroblob(length(v)) WHERE id = 1`);
  await expect.poll(() => positionOf(watched).txid).toBeGreaterThan(3n);
  return { watched, position, early };
}

test.each(['without', 'after'])(
  'a database that has moved on is compared %s a checkpoint, but for the pages changed since',
  async (checkpoint) => {
    const { watched, position, early } = await movedOn();
    if (checkpoint === 'after') watched.app.pragma('wal_checkpoint(PASSIVE)');
    const { pageSize, commit } = position;
    const examined = await examine(watched, early, position, [position]);
    expect(comparisonOf(examined)).toMatchObject({ kind: 'equal' });
    const { pages, skipped } = comparisonOf(examined) as { pages: number; skipped: number };
    expect(pages + skipped).toBe(commit);
    expect(skipped).toBeGreaterThan(0);
    const late = copyOf(watched);
    let [found, missed] = [0, 0];
    for (let pgno = 1; pgno <= commit; pgno += 1) {
      const at = (pgno - 1) * pageSize;
      const planted = Buffer.from(early);
      planted[at + 200] = (planted[at + 200] ?? 0) ^ 1;
      const comparison = comparisonOf(await examine(watched, planted, position, [position]));
      if ((comparison as { kind: string }).kind === 'equal') {
        missed += 1;
        const page = (of: Buffer): Buffer => of.subarray(at, at + pageSize);
        expect(page(early).equals(page(late))).toBe(false); // only pages that have changed
        continue;
      }
      expect(comparison).toEqual({ kind: 'different', pages: 1, first: pgno });
      found += 1;
    }
    expect([found, missed]).toEqual([pages, skipped]);
  },
);

test('commits that no replicator has seen yet do not prevent that comparison', async () => {
  const { watched, position, early } = await movedOn();
  const current = fs.readFileSync(path.join(watched.metaPath, 'position'));
  watched.commit(10);
  await expect.poll(() => positionOf(watched).txid).toBeGreaterThan(parseText(current).txid);
  fs.writeFileSync(path.join(watched.metaPath, 'position'), current);
  const examined = await examine(watched, early, position, [position]);
  expect(examined).toMatchObject({ kind: 'moved on', comparison: { kind: 'equal' } });
});

test('a position of another log, or of another state, does not help', async () => {
  const { watched, position, early } = await movedOn();
  const other = { ...position, salt2: (position.salt2 ^ 1) >>> 0 };
  expect(comparisonOf(await examine(watched, early, position, [other]))).toBeUndefined();
  const wrong = { ...position, txid: (position.txid - 1n) as Position['txid'] };
  expect(comparisonOf(await examine(watched, early, position, [wrong]))).toBeUndefined();
});

test('a log that restarted, but still has the last frame of the position, is "moved on"', async () => {
  const { watched, engine } = await follow();
  const copy = copyOf(watched);
  const position = positionOf(watched);
  expect(position.frame).toBeGreaterThan(3);
  await engine.close();
  watched.app.pragma('wal_checkpoint(RESTART)');
  watched.commit(10); // overwrites the first frames only
  fs.writeFileSync(path.join(watched.metaPath, 'position'), formatPosition(position));
  expect(await examine(watched, copy)).toEqual(MOVED_ON);
});

test('a log whose last frame is another one is "moved on"', async () => {
  const { watched, engine } = await follow();
  const copy = copyOf(watched);
  const position = positionOf(watched);
  await engine.close();
  const checksum = { ...position.checksum, s1: (position.checksum.s1 ^ 1) >>> 0 };
  const other = formatPosition({ ...position, checksum });
  fs.writeFileSync(path.join(watched.metaPath, 'position'), other);
  expect(await examine(watched, copy)).toEqual(MOVED_ON);
  fs.writeFileSync(path.join(watched.metaPath, 'position'), formatPosition(position));
  expect(comparisonOf(await examine(watched, copy))).toMatchObject({ kind: 'equal' });
});

test('another TXID, another lineage and an unknown one are not compared', async () => {
  const watched = await followed();
  const copy = copyOf(watched);
  const { txid, lineage } = positionOf(watched);
  for (const state of [
    { txid: txid - 1n, lineage },
    { txid, lineage: lineage + 1n },
    { txid, lineage: 0n },
  ]) {
    const at = { kind: 'at', txid, lineage, comparison: undefined };
    expect(await examine(watched, copy, state)).toEqual(at);
  }
});

test('without a position, or without a database, nothing is known', async () => {
  const watched = await followed();
  const copy = copyOf(watched);
  const state = positionOf(watched);
  fs.writeFileSync(path.join(watched.metaPath, 'position'), '{"version": 2,');
  const why = /^no replicator has recorded in .* which TXID the live database is at$/;
  expect(await examine(watched, copy, state)).toEqual({
    kind: 'unknown',
    why: expect.stringMatching(why) as string,
  });
  const folder = temporaryFolder();
  const restored = { file: '/nowhere', txid: state.txid, lineage: state.lineage };
  const missing = { path: path.join(folder, 'app.db'), metaPath: folder, positions: [], restored };
  expect(await examineLive(missing)).toMatchObject({ why: 'the live database does not exist' });
});
