/** Files that no destination needs are removed, with retries. */

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { type FileSystem, systemFiles } from '../../src/file-system.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { SentRecords } from '../../src/replicate/record.ts';
import { StagedFiles, type Holder } from '../../src/replicate/staged-files.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const WAIT = { timeout: 60_000, interval: 20 };

type MutableHolder = { -readonly [K in keyof Holder]: Holder[K] };

const SENT = { sizeBytes: 10, checksum: 'aa', lineage: 1n };

function scene(destinations: 'a' | 'a and b' = 'a', recordFiles: FileSystem = systemFiles) {
  const folder = temporaryFolder();
  const said: string[] = [];
  const records = new SentRecords(folder, recordFiles);
  const toHolder = (name: string): MutableHolder => ({
    name,
    releasableTXID: 0n,
    replicatedTXID: 0n,
    needsSnapshot: false,
    lacksSnapshot: () => true,
    snapshotRefusal: undefined,
    activity: { failingMs: 0 },
  });
  const holder = toHolder('a');
  const other = toHolder('b');
  const say = (message: string): void => void said.push(message);
  const staged = new StagedFiles({
    records,
    files: systemFiles,
    folder,
    maxBytes: 1_000_000,
    holders: () => (destinations === 'a' ? [holder] : [holder, other]),
    mergedBytes: () => 0,
    keepsAfter: () => undefined,
    dropMerged: () => undefined,
    clock: systemClock,
    logger: { debug: say, info: say, warn: say, error: say },
    report: (error) => say(String(error)),
  });
  const add = (txid: number): string => {
    const file = path.join(folder, `${txid}.ltx`);
    fs.writeFileSync(file, '0123456789');
    staged.add({
      kind: 'staged',
      file: {
        level: 0,
        minTXID: toTXID(txid),
        maxTXID: toTXID(txid),
        sizeBytes: 10,
        path: file,
      },
      content: 'increment',
      asOf: 0,
      pageSize: 512,
      commit: 1,
      lineage: 1n,
      timestampMs: 0,
      since: 0,
    });
    return file;
  };
  const send = (txid: bigint): void => {
    records.set('a', { txid, ...SENT });
    holder.releasableTXID = txid;
    holder.replicatedTXID = txid;
    staged.free();
  };
  return { folder, staged, records, said, add, send, holder, other };
}

const recorded = (folder: string): unknown =>
  JSON.parse(fs.readFileSync(path.join(folder, 'destinations.json'), 'utf8'));

test('a record that could not be written is written later, and no file is left over', async () => {
  const { folder, staged, said, add, send } = scene();
  const [first, second, third] = [add(1), add(2), add(3)];
  const obstacle = path.join(folder, 'destinations.json.new');
  fs.mkdirSync(obstacle); // the temporary file of the record
  send(1n);
  await vi.waitFor(() => expect(said).not.toHaveLength(0), WAIT);
  expect(fs.existsSync(first)).toBe(true); // not freed before it is recorded
  add(4);
  send(3n);
  fs.rmdirSync(obstacle);
  await vi.waitFor(() => {
    expect([first, second, third].filter((file) => fs.existsSync(file))).toEqual([]);
  }, WAIT);
  await staged.close();
  expect(said).toEqual([expect.stringContaining('destinations.json')]);
  expect(recorded(folder)).toMatchObject({ a: { txid: '0000000000000003' } });
});

test('after a full disk, files are removed again, and it no longer counts as stuck', async () => {
  let isFull = true;
  const recordFiles: FileSystem = {
    ...systemFiles,
    create: async (file, access) => {
      if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      return await systemFiles.create(file, access);
    },
  };
  const { folder, staged, said, add, send } = scene('a', recordFiles);
  const [first, second] = [add(1), add(2), add(3)];
  send(1n);
  await vi.waitFor(() => expect(said).not.toHaveLength(0), WAIT);
  expect(fs.existsSync(first)).toBe(false); // freed, to make room for the record
  isFull = false;
  await vi.waitFor(() => expect(staged.freeingSince).toBeUndefined(), WAIT);
  send(2n);
  await vi.waitFor(() => expect(fs.existsSync(second)).toBe(false), WAIT);
  await staged.close();
  expect(recorded(folder)).toMatchObject({ a: { txid: '0000000000000002' } });
});

test('a snapshot stays staged, with its scope, as long as a destination lacks it and does not refuse it', async () => {
  const { staged, holder, folder } = scene();
  const file = path.join(folder, 'snapshot.ltx');
  fs.writeFileSync(file, '0123456789');
  const add = (): void =>
    staged.add(
      {
        kind: 'staged',
        file: { level: 9, minTXID: toTXID(1), maxTXID: toTXID(4), sizeBytes: 10, path: file },
        content: 'snapshot',
        ...{ lineage: 1n, pageSize: 4096, timestampMs: 1, commit: 1 },
      } as never,
      { intervalMs: 5, earlyMs: 1 },
    );
  const isStaged = (): boolean => {
    staged.free();
    return staged.snapshot !== undefined;
  };
  add();
  holder.lacksSnapshot = ({ txid, scope }) => txid === 4n && scope?.intervalMs === 5;
  expect(isStaged()).toBe(true);
  holder.snapshotRefusal = { txid: 4n };
  expect(isStaged()).toBe(false);
  add();
  holder.snapshotRefusal = undefined;
  holder.lacksSnapshot = () => false;
  holder.replicatedTXID = undefined; // it may be seeded from it
  expect(isStaged()).toBe(true);
  holder.replicatedTXID = 4n;
  expect(isStaged()).toBe(false);
  await staged.close();
});

test('a failed save is repeated by the next save even without changes', async () => {
  const folder = temporaryFolder();
  const records = new SentRecords(folder, systemFiles);
  const obstacle = path.join(folder, 'destinations.json.new');
  fs.mkdirSync(obstacle);
  records.set('a', { txid: 7n, ...SENT });
  await expect(records.save()).rejects.toMatchObject({ code: 'STAGING_FAILED' });
  fs.rmdirSync(obstacle);
  await records.save();
  expect(recorded(folder)).toMatchObject({ a: { txid: '0000000000000007' } });
});

test('an unreadable record is a failure with its reason; a damaged record is ignored', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'destinations.json');
  fs.mkdirSync(file);
  const records = new SentRecords(folder, systemFiles);
  await expect(records.load()).rejects.toMatchObject({ code: 'STAGING_FAILED' });
  fs.rmdirSync(file);
  for (const text of ['', '{', 'null', '[]', '{"a":null}', '{"a":{"txid":1}}', '"a"']) {
    fs.writeFileSync(file, text);
    await records.load();
    expect(records.all()).toEqual([]);
  }
});

const HOUR_MS = 3_600_000;

describe('a full snapshot that finds no room', () => {
  /** b is failing; a has everything up to `releasableTXID`. */
  const twoDestinations = (needsSnapshot: boolean, failingMs: number) => {
    const { staged, said, add, holder, other } = scene('a and b');
    const files = [add(1), add(2), add(3)];
    Object.assign(holder, { needsSnapshot, releasableTXID: needsSnapshot ? 0n : 3n });
    Object.assign(other, { releasableTXID: 1n, replicatedTXID: 1n, activity: { failingMs } });
    return { staged, said, files, holder };
  };
  const left = (files: readonly string[]): string[] => files.filter((file) => fs.existsSync(file));

  test('frees what only failing destinations lack, if another destination waits for it', async () => {
    const { staged, said, files } = twoDestinations(true, HOUR_MS);
    staged.onNoSnapshotRoom();
    await staged.close();
    expect(left(files)).toEqual([files[2]]); // the newest one always stays
    expect(said).toEqual(['staging is full: b will get a full snapshot instead']);
  });

  test('frees nothing that a failing destination lacks, if no destination waits for it', async () => {
    const { staged, said, files } = twoDestinations(false, HOUR_MS);
    staged.onNoSnapshotRoom();
    await staged.close();
    expect(left(files)).toEqual([files[1], files[2]]);
    expect(said).toEqual([]);
  });

  test('frees nothing that a destination lacks which has failed for a moment or is only slow', async () => {
    for (const failingMs of [0, 500]) {
      const { staged, files } = twoDestinations(true, failingMs);
      staged.onNoSnapshotRoom();
      await staged.close();
      expect(left(files)).toEqual([files[1], files[2]]);
    }
  });

  test('frees nothing for a destination that waits for it but is failing as well', async () => {
    const { staged, files, holder } = twoDestinations(true, HOUR_MS);
    holder.activity = { failingMs: HOUR_MS };
    staged.onNoSnapshotRoom();
    await staged.close();
    expect(left(files)).toEqual([files[1], files[2]]);
  });
});
