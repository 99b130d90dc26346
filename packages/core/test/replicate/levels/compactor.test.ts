import fs from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { systemFiles } from '../../../src/file-system.ts';
import { toLevels } from '../../../src/history/levels.ts';
import { createKernel } from '../../../src/kernel/kernel.ts';
import { Compactor, type LevelHolder } from '../../../src/replicate/levels/compactor.ts';
import { mergeFiles } from '../../../src/replicate/levels/merge-files.ts';
import { Staged, StoppedClock } from '../scene.ts';

const kernel = createKernel();
const LEVELS = toLevels([30_000, 3_600_000]);

interface Plant {
  readonly staged: Staged;
  readonly clock: StoppedClock;
  readonly compactor: Compactor;
  readonly messages: string[];
  readonly removed: string[];
  /** A process that runs after this one. */
  next(): Plant;
}

/** A compactor without destinations, unless `holders` has some. */
function plantOf(
  staged = new Staged(),
  clock = new StoppedClock(),
  holders: readonly LevelHolder[] = [],
): Plant {
  const messages: string[] = [];
  const removed: string[] = [];
  const log = (message: string): void => void messages.push(message);
  const compactor = new Compactor({
    options: {
      metaPath: staged.folder,
      levels: LEVELS,
      verifyCompaction: true,
      pageEncoding: 'block',
      stagingMaxBytes: 1e9,
    },
    backlog: staged.backlog,
    holders: () => holders,
    merge: (order) => mergeFiles(order, { files: systemFiles, kernel }),
    onMerged: () => undefined,
    onGone: (path) => staged.backlog.forget(path),
    remove: (paths) => void removed.push(...paths),
    files: systemFiles,
    clock,
    logger: { debug: log, info: log, warn: log, error: log },
  });
  onTestFinished(() => compactor.close());
  return {
    staged,
    clock,
    compactor,
    messages,
    removed,
    next: () => plantOf(staged, clock, holders),
  };
}

/** Wakes the compactor until `level` has merged up to `txid`. */
async function merged({ compactor, clock }: Plant, level: number, txid: bigint): Promise<void> {
  await expect
    .poll(() => {
      clock.advance(level === 1 ? 30_000 : 3_600_000);
      compactor.wake();
      return compactor.figures[level - 1]?.txid;
    })
    .toBe(txid);
}

function namesOf({ compactor }: Plant): string[] {
  return compactor.staged.map(({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`);
}

function commits(staged: Staged, count: number): void {
  for (let commit = 0; commit < count; commit++) staged.commit();
}

test('merges end before a full snapshot at level 0, and the next begin after it', async () => {
  const plant = plantOf();
  plant.staged.image();
  commits(plant.staged, 3);
  plant.staged.image();
  commits(plant.staged, 2);
  plant.compactor.begin();
  await merged(plant, 2, 7n);
  expect(namesOf(plant)).toEqual(['1/2-4', '1/6-7', '2/2-4', '2/6-7']);
  expect(plant.compactor.keepsAfter).toBe(7n);
});

test('nothing above a full snapshot that is still being made is merged', async () => {
  const plant = plantOf();
  plant.staged.image();
  commits(plant.staged, 3);
  plant.staged.backlog.gate(4n);
  plant.compactor.begin();
  await merged(plant, 1, 3n);
});

test('the next process merges what was not merged, and an increment with every page is not an image', async () => {
  const plant = plantOf();
  plant.staged.image();
  commits(plant.staged, 3);
  plant.compactor.begin();
  await merged(plant, 2, 4n);
  commits(plant.staged, 2);
  const { files } = plant.staged.backlog;
  // As found at a start: its content was guessed from its number of pages.
  plant.staged.backlog.reset(
    files.map((file) => (file.txid === 5n ? { ...file, content: 'image' } : file)),
  );
  plant.staged.backlog.release(4n);
  const next = plant.next();
  await next.compactor.load();
  expect(namesOf(next)).toEqual(['1/2-4', '2/2-4']);
  next.compactor.begin();
  await merged(next, 2, 6n);
  expect(namesOf(next)).toEqual(['1/2-4', '1/5-6', '2/2-4', '2/5-6']);
});

test('frees what no destination needs, but keeps inputs, and the newest file of each level', async () => {
  const needs = new Set<string>();
  const holder: LevelHolder = {
    topOf: () => undefined,
    neededMerges: (files) => files.filter(({ minTXID }) => needs.has(`${minTXID}`)),
  };
  const plant = plantOf(new Staged(), new StoppedClock(), [holder]);
  plant.staged.image();
  plant.compactor.begin();
  for (const last of [3n, 5n, 7n]) {
    commits(plant.staged, 2);
    await merged(plant, 1, last);
  }
  expect(plant.compactor.figures[1]?.txid).toBe(0n);
  plant.compactor.free();
  expect(namesOf(plant)).toEqual(['1/2-3', '1/4-5', '1/6-7']); // level 2 needs them
  await merged(plant, 2, 7n);
  needs.add('4');
  plant.compactor.free();
  expect(namesOf(plant)).toEqual(['1/4-5', '1/6-7', '2/2-7']);
  needs.clear();
  plant.compactor.free();
  expect(namesOf(plant)).toEqual(['1/6-7', '2/2-7']);
  expect(plant.removed).toHaveLength(2);
});

test('a damaged input is left out after some tries, and is reported once', async () => {
  const plant = plantOf();
  plant.staged.image();
  commits(plant.staged, 2);
  const damaged = plant.staged.backlog.get(2n)?.path ?? '';
  const bytes = fs.readFileSync(damaged);
  bytes[120] = (bytes[120] ?? 0) ^ 1;
  fs.writeFileSync(damaged, bytes);
  plant.compactor.begin();
  await expect
    .poll(() => {
      plant.clock.advance(60_000);
      plant.compactor.wake();
      return plant.compactor.keepsAfter;
    })
    .toBe(3n);
  expect(plant.compactor.figures[0]).toMatchObject({ merges: 0, failures: 3 });
  expect(plant.messages.filter((message) => message.startsWith('cannot merge'))).toHaveLength(1);
  expect(plant.messages.at(-1)).toMatch('left out TXID 0000000000000002 to 0000000000000003');
  commits(plant.staged, 1);
  await merged(plant, 1, 4n);
});

test.for(['cut short', 'changed inside'])(
  'a staged merged file that is %s is removed at the start',
  async (damage) => {
    const plant = plantOf();
    plant.staged.image();
    commits(plant.staged, 2);
    plant.compactor.begin();
    await merged(plant, 1, 3n);
    const [file] = plant.compactor.staged;
    const bytes = fs.readFileSync(file?.path ?? '');
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    fs.writeFileSync(file?.path ?? '', damage === 'cut short' ? bytes.subarray(0, 50) : bytes);
    fs.writeFileSync(`${file?.path}.tmp`, 'from a crash');
    const next = plant.next();
    await next.compactor.load();
    expect(namesOf(next)).toEqual([]);
    expect(next.messages).toEqual([expect.stringMatching(/^removed the damaged staged file/)]);
    expect(fs.existsSync(`${file?.path}.tmp`)).toBe(false);
  },
);

test('inputs that were freed meanwhile are left out, and the others are merged', async () => {
  const plant = plantOf();
  plant.staged.image();
  commits(plant.staged, 4);
  fs.rmSync(plant.staged.backlog.get(3n)?.path ?? '');
  plant.compactor.begin();
  await merged(plant, 1, 5n);
  expect(namesOf(plant).filter((name) => name.startsWith('1/'))).toEqual(['1/2-2', '1/4-5']);
  expect(plant.compactor.figures[0]?.failures).toBe(0);
  expect(plant.messages.filter((message) => message.startsWith('cannot merge'))).toEqual([]);
});
