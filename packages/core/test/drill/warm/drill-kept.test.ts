/** Drills that keep their copy for the next one. Buckets in memory with random pages: no SQLite. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { DrillReport } from '../../../src/drill/drill.ts';
import {
  drillKept,
  FULL_EVERY,
  type KeptDrillOptions,
} from '../../../src/drill/warm/drill-kept.ts';
import { takeCopy } from '../../../src/drill/warm/kept-copy.ts';
import { Bucket, encodeFile, History, randomHistory } from '../../restore/bucket.ts';
import { temporaryFolder } from '../../restore/temporary.ts';
import { randomFrom } from '../../support/random.ts';

const LINEAGE = 7n;
const PAGES = 40;
const PAGE_SIZE = 512;

class Scene {
  readonly history: History;
  readonly bucket = new Bucket();
  readonly #parent = temporaryFolder();
  readonly notKept: string[] = [];
  #drills = 0;

  constructor(history: History) {
    this.history = history;
  }

  get folder(): string {
    return path.join(this.#parent, 'kept');
  }

  get copy(): string {
    return path.join(this.folder, 'copy.db');
  }

  /** A file of this history, at a level; 9: with every page. */
  put(level: number, min: number, max: number, nodeID = LINEAGE): void {
    const content = level === 9 ? this.history.image(max) : this.history.content(min, max);
    this.bucket.put(level, min, max, encodeFile(min, max, { ...content, nodeID }));
  }

  flip(level: number, min: number, max: number): void {
    const bytes = this.bucket.bytes(level, min, max);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  }

  async drill(more: Partial<KeptDrillOptions> = {}): Promise<DrillReport> {
    this.#drills += 1;
    const folder = path.join(this.#parent, String(this.#drills));
    fs.mkdirSync(folder);
    return await drillKept({
      name: 'bucket',
      open: () => Promise.resolve({ client: this.bucket.client() }),
      target: { kind: 'latest' },
      folder,
      kept: { folder: this.folder, bytesMax: 1024 ** 3 },
      onNotKept: (message) => void this.notKept.push(message),
      integrityCheck: 'none',
      assertions: [],
      signal: new AbortController().signal,
      ...more,
    });
  }
}

/** A snapshot of 1..2, and the increments 3..`last`, of a history that goes on. */
function makeScene(last = 4): Scene {
  const random = randomFrom(5);
  const history = new History(PAGE_SIZE);
  for (let txid = 1; txid <= 20; txid++) history.commit(random, PAGES, 2);
  const scene = new Scene(history);
  scene.put(9, 1, 2);
  for (let txid = 3; txid <= last; txid++) scene.put(0, txid, txid);
  return scene;
}

test('the next drill reads only newer files, and the copy is equal to a full restore', async () => {
  const scene = makeScene();
  const full = await scene.drill();
  expect(full).toMatchObject({ result: 'ok', kind: 'full', filesRead: 3 });
  scene.put(0, 5, 5);
  const warm = await scene.drill();
  expect(warm).toMatchObject({
    result: 'ok',
    kind: 'warm',
    txid: '0000000000000005',
    filesRead: 1,
    databaseBytes: PAGES * PAGE_SIZE,
    problems: [],
  });
  expect(warm.bytesRead).toBe(scene.bucket.bytes(0, 5, 5).length);
  expect(warm.bytesRead).toBeLessThan((full.bytesRead ?? 0) / 10);
  expect(fs.readFileSync(scene.copy).equals(scene.history.bytes(5))).toBe(true);
  expect(await scene.drill()).toMatchObject({ kind: 'warm', filesRead: 0, result: 'ok' });
  expect(scene.notKept).toEqual([]);
});

test('databases that grow and shrink, with merged files: always equal to a full restore', async () => {
  let warmDrills = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const random = randomFrom(seed);
    const scene = new Scene(randomHistory(random, PAGE_SIZE, 16));
    scene.put(9, 1, 1);
    for (let txid = 2; txid <= 16; txid++) {
      const min = random.chance(0.3) ? random.int(2, txid) : txid;
      scene.put(min === txid ? 0 : 1, min, txid);
      if (random.chance(0.4)) continue;
      const report = await scene.drill();
      expect(report, `seed ${seed}`).toMatchObject({ result: 'ok', problems: [] });
      expect(fs.readFileSync(scene.copy).equals(scene.history.bytes(txid)), `seed ${seed}`).toBe(
        true,
      );
      if (report.kind === 'warm') warmDrills += 1;
    }
  }
  expect(warmDrills).toBeGreaterThan(12);
});

test('a flipped byte in an old file is found by the next full drill', async () => {
  const scene = makeScene();
  expect((await scene.drill()).kind).toBe('full');
  scene.flip(9, 1, 2);
  for (let count = 1; count < FULL_EVERY; count++) {
    expect(await scene.drill()).toMatchObject({ kind: 'warm', result: 'ok' });
  }
  const report = await scene.drill();
  expect(report).toMatchObject({ kind: 'full', result: 'failed' });
  expect(report.problems[0]?.object).toContain('level 9');
  expect(fs.existsSync(scene.folder)).toBe(false);
});

test('a flipped byte in a new file fails the drill at once, after a full restore', async () => {
  const scene = makeScene();
  await scene.drill();
  scene.put(0, 5, 5);
  scene.flip(0, 5, 5);
  const report = await scene.drill();
  expect(report).toMatchObject({ kind: 'full', result: 'failed' });
  expect(report.problems[0]?.object).toContain('0000000000000005');
});

test('a damaged new file that a full restore does not need fails the drill too', async () => {
  const scene = makeScene();
  await scene.drill();
  for (const txid of [5, 6]) scene.put(0, txid, txid);
  scene.put(9, 1, 6);
  scene.flip(0, 5, 5);
  const report = await scene.drill();
  expect(report).toMatchObject({ kind: 'full', result: 'failed', txid: '0000000000000006' });
  expect(report.problems[0]).toMatchObject({
    code: 'LTX_CHECKSUM_MISMATCH',
    object: expect.stringContaining('0000000000000005') as string,
  });
});

const editRecord = (scene: Scene, edit: (text: string) => string): void => {
  const file = path.join(scene.folder, 'copy.json');
  fs.writeFileSync(file, edit(fs.readFileSync(file, 'utf8')));
};

test.each<[string, (scene: Scene) => void]>([
  [
    'one changed byte',
    ({ copy }) => {
      const bytes = fs.readFileSync(copy);
      bytes[PAGE_SIZE * 5] = (bytes[PAGE_SIZE * 5] ?? 0) ^ 1;
      fs.writeFileSync(copy, bytes);
    },
  ],
  ['one more page', ({ copy }) => fs.appendFileSync(copy, new Uint8Array(PAGE_SIZE))],
  ['no file', ({ copy }) => fs.rmSync(copy)],
  ['a torn record', (scene) => editRecord(scene, (text) => text.slice(0, 30))],
  ['a newer record', (scene) => editRecord(scene, (text) => text.replace('1,', '2,'))],
  ['a folder that others may read', ({ folder }) => fs.chmodSync(folder, 0o755)],
])('a kept copy with %s is thrown away', async (_, change) => {
  const scene = makeScene();
  await scene.drill();
  change(scene);
  scene.put(0, 5, 5);
  expect(await scene.drill()).toMatchObject({ kind: 'full', result: 'ok' });
  expect(fs.readFileSync(scene.copy).equals(scene.history.bytes(5))).toBe(true);
  expect(await scene.drill()).toMatchObject({ kind: 'warm', result: 'ok' });
});

test.each(['symbolic', 'hard'])(
  'a %s link to another database is never written to',
  async (kind) => {
    const scene = makeScene();
    await scene.drill();
    const live = path.join(temporaryFolder(), 'app.db');
    fs.renameSync(scene.copy, live);
    const before = fs.readFileSync(live);
    if (kind === 'hard') fs.linkSync(live, scene.copy);
    else fs.symlinkSync(live, scene.copy);
    scene.put(0, 5, 5);
    expect(await scene.drill()).toMatchObject({ kind: 'full', result: 'ok' });
    expect(fs.readFileSync(live).equals(before)).toBe(true);
  },
);

test('a log beside the copy is removed before SQLite could read it', async () => {
  const scene = makeScene();
  await scene.drill();
  fs.writeFileSync(`${scene.copy}-wal`, 'a log');
  expect(await takeCopy(scene.folder, new AbortController().signal)).toBeDefined();
  expect(fs.readdirSync(scene.folder)).toEqual(['copy.db']);
});

test('a copy that was taken and not kept again is not used: its drill was killed', async () => {
  const scene = makeScene();
  await scene.drill();
  expect(await takeCopy(scene.folder, new AbortController().signal)).toBeDefined();
  expect(await scene.drill()).toMatchObject({ kind: 'full', result: 'ok' });
});

test.each<[string, (scene: Scene) => void]>([
  ['another lineage', (scene) => [5, 6].forEach((txid) => scene.put(0, txid, txid, 8n))],
  ['another lineage at the same TXID', (scene) => scene.put(0, 4, 4, 8n)],
  ['a newer file without a lineage', (scene) => scene.put(0, 5, 5, 0n)],
  [
    'one without a lineage in between',
    (scene) => {
      scene.put(0, 5, 5, 0n);
      scene.put(0, 6, 6);
    },
  ],
  [
    'one of another lineage in between',
    (scene) => {
      scene.put(0, 5, 5, 8n);
      scene.put(0, 6, 6);
      scene.put(9, 1, 6);
    },
  ],
  [
    'missing files',
    (scene) => {
      scene.put(9, 1, 6);
      scene.put(0, 7, 7);
    },
  ],
])('the restore is a full one after %s', async (_, change) => {
  const scene = makeScene();
  await scene.drill();
  change(scene);
  expect((await scene.drill()).kind).toBe('full');
});

test('a page that was cut off and is new again must be in a newer file', async () => {
  const random = randomFrom(6);
  const history = new History(PAGE_SIZE);
  for (const size of [PAGES, PAGES, PAGES, PAGES, 10, PAGES]) history.commit(random, size, 2);
  const scene = new Scene(history);
  scene.put(9, 1, 2);
  for (const txid of [3, 4]) scene.put(0, txid, txid);
  await scene.drill();
  scene.put(0, 5, 5);
  const content = history.content(6, 6);
  const pages = new Map([...content.pages].filter(([pgno]) => pgno !== 20));
  scene.bucket.put(0, 6, 6, encodeFile(6, 6, { ...content, pages, nodeID: LINEAGE }));
  const report = await scene.drill();
  expect(report).toMatchObject({ kind: 'full', result: 'inconclusive' });
  expect(report.problems[0]?.message).toMatch(/page 20 .*a full restore is ok/);
});

test('a file that merged some newer commits with older ones continues the copy', async () => {
  const scene = makeScene();
  await scene.drill();
  scene.put(1, 3, 6);
  expect(await scene.drill()).toMatchObject({ kind: 'warm', result: 'ok', filesRead: 1 });
  expect(fs.readFileSync(scene.copy).equals(scene.history.bytes(6))).toBe(true);
});

test('nothing is kept beyond the limit, or of a random state', async () => {
  const scene = makeScene();
  const bytesMax = PAGES * PAGE_SIZE - 1;
  await scene.drill({ kept: { folder: scene.folder, bytesMax } });
  expect(fs.existsSync(scene.folder)).toBe(false);
  await scene.drill({ target: { kind: 'random' } });
  expect(fs.existsSync(scene.folder)).toBe(false);
  await scene.drill();
  expect(fs.existsSync(scene.copy)).toBe(true);
  await scene.drill({ target: { kind: 'random' } });
  expect(fs.existsSync(scene.folder)).toBe(false);
});

test('a copy that cannot be kept is said, and changes no result', async () => {
  const scene = makeScene();
  const folder = path.join(scene.folder, 'missing', 'kept');
  const report = await scene.drill({ kept: { folder, bytesMax: 1024 ** 3 } });
  expect(report.result).toBe('ok');
  expect(scene.notKept).toEqual([expect.stringContaining(`keep the copy in ${folder}`)]);
});

test('the budget counts a copy that is there already once', async () => {
  const scene = makeScene();
  const scratchBytesMax = PAGES * PAGE_SIZE + 64 * 1024;
  expect((await scene.drill({ scratchBytesMax })).result).toBe('ok');
  scene.put(0, 5, 5);
  expect(await scene.drill({ scratchBytesMax })).toMatchObject({ kind: 'warm', result: 'ok' });
});
