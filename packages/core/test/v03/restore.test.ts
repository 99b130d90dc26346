import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { OpenTransaction } from '../../src/v03/open-transaction.ts';
import { restoreV03, type RestoreV03Options } from '../../src/v03/restore.ts';
import { listGenerations } from '../../src/v03/generations.ts';
import { decodeLZ4Frame } from '../../src/v03/lz4-frame.ts';
import { surveyV03 } from '../../src/v03/survey.ts';
import { WALStream } from '../../src/v03/wal-stream.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { frame, G, OldBucket, segmentKey, snapshotKey } from './bucket.ts';
import { encryptFor, newKeys } from '../encryption/keys.ts';
import { checkpointed, randomHistory } from './history.ts';

async function restored(
  bucket: OldBucket,
  options: Partial<RestoreV03Options> = {},
): Promise<Buffer> {
  const output = path.join(temporaryFolder(), 'restored.db');
  await restoreV03({ source: bucket.source(), target: {}, output, ...options });
  return fs.readFileSync(output);
}

/** The message of the error of a restore, which leaves nothing behind. */
async function failure(
  bucket: OldBucket,
  code: string,
  options: Partial<RestoreV03Options> = {},
): Promise<string> {
  const folder = temporaryFolder();
  const output = path.join(folder, 'restored.db');
  const restoring = restoreV03({ source: bucket.source(), target: {}, output, ...options });
  const error = await restoring.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code });
  expect(fs.readdirSync(folder)).toEqual([]);
  return (error as Error).message;
}

test.each([512, 4_096, 65_536])(
  'each state is the one of a checkpoint by SQLite: %i',
  async (pageSize) => {
    const seed = seedOf();
    const { bucket, steps } = randomHistory(randomFrom(seed), pageSize, 3);
    for (const { atMs, expected } of steps) {
      const got = await restored(bucket, { target: { at: new Date(atMs) } });
      expect(got.equals(expected), `seed ${seed}, at ${atMs}`).toBe(true);
    }
    expect(steps.length).toBeGreaterThan(6);
  },
);

let known: ReturnType<typeof randomHistory> | undefined;

/** A fresh copy of one history. */
function history(): ReturnType<typeof randomHistory> {
  known ??= randomHistory(randomFrom(7), 4_096, 3);
  return { bucket: known.bucket.copy(), steps: known.steps };
}

test('a truncated or flipped object is an error that names it, and the state before it', async () => {
  const { steps } = history();
  for (const [place, { key, atMs }] of steps.entries()) {
    for (const change of [
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
      (bytes: Buffer) => bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1), // its checksum
    ]) {
      const { bucket } = history();
      bucket.change(key, change);
      const message = await failure(bucket, 'RESTORE_DAMAGED');
      expect(message).toContain(key.slice('generations/'.length));
      const before = steps[place - 1];
      if (place < 2 || before === undefined) continue; // there is no earlier segment
      const advice = new Date(before.atMs).toISOString();
      expect(message).toContain(`use -generation ${G} -timestamp ${advice}`);
      const target = { generation: G, at: new Date(before.atMs) };
      expect((await restored(bucket, { target })).equals(before.expected), `at ${atMs}`).toBe(true);
    }
  }
});

test('a missing segment is an error that names it, unless it is the last one of its WAL', async () => {
  const { steps } = history();
  const isLast = (place: number): boolean =>
    /_00000000\.wal/.test(steps[place + 1]?.key ?? '_00000000.wal');
  const inside = steps.filter(({ key }, place) => key.includes('/wal/') && !isLast(place));
  for (const { key } of inside) {
    const { bucket } = history();
    bucket.store.objects.delete(key);
    const message = await failure(bucket, 'RESTORE_GAP');
    expect(message).toContain(`${key.slice('generations/'.length)} is missing`);
  }
  expect(inside.length).toBeGreaterThan(5);
});

test('a WAL that ends within a transaction does not add its pages to the next WAL', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const { bucket, steps } = randomHistory(randomFrom(seed), 512, 2);
    const [base] = steps;
    const wals = [await walOf(bucket, 0), await walOf(bucket, 1)] as const;
    const cut = wals[0].subarray(0, -(24 + 512)); // its last commit frame
    const old = new OldBucket();
    old.put(snapshotKey(0), bucket.bytes(snapshotKey(0)), 1);
    old.put(segmentKey(0, 0), frame(cut), 2);
    old.put(segmentKey(1, 0), frame(wals[1]), 3);
    const first = checkpointed(base?.expected ?? Buffer.alloc(0), cut);
    const isSame = (await restored(old)).equals(checkpointed(first, wals[1]));
    expect(isSame, `seed ${seed}`).toBe(true);
  }
});

test('a segment of another log is an error, although its frames are whole', async () => {
  const { bucket, steps } = history();
  const firsts = steps.filter(({ key }) => key.includes('_00000000.wal'));
  const [first, second] = firsts.map(({ key }) => bucket.bytes(key));
  expect(first).toBeDefined();
  bucket.change(firsts[0]?.key ?? '', () => second ?? Buffer.alloc(0));
  expect(await failure(bucket, 'RESTORE_DAMAGED')).toMatch(/does not match its checksum or salts/);
});

test('a damaged snapshot is replaced by an older one, which gives the same state', async () => {
  const { bucket, steps } = history();
  const index = 2;
  const first = steps.find(({ key }) => key === segmentKey(index, 0));
  bucket.put(snapshotKey(index), frame(first?.expected ?? Buffer.alloc(0)), first?.atMs ?? 0);
  const whole = await restored(bucket);
  expect(whole.equals(steps.at(-1)?.expected ?? Buffer.alloc(0))).toBe(true);
  bucket.change(snapshotKey(index), (bytes) => bytes.subarray(0, -1));
  const output = path.join(temporaryFolder(), 'restored.db');
  const report = await restoreV03({ source: bucket.source(), target: {}, output });
  expect(report.avoided).toMatchObject([{ code: 'RESTORE_DAMAGED' }]);
  expect(fs.readFileSync(output).equals(whole)).toBe(true);
});

test('an object that retention removed meanwhile leads to a new plan', async () => {
  const { bucket, steps } = history();
  const listed = await listGenerations(bucket.source().client, '');
  const last = steps.at(-1)?.expected ?? Buffer.alloc(0);
  for (const { key } of steps.slice(0, -1)) bucket.store.objects.delete(key);
  bucket.store.objects.delete(steps.at(-1)?.key ?? '');
  bucket.put(snapshotKey(3), frame(last), 99_000);
  expect((await restored(bucket, { listed })).equals(last)).toBe(true);
});

test('an object encrypted with age is an error that says so', async () => {
  const { bucket, steps } = history();
  const age = Buffer.from('age-encryption.org/v1\n-> X25519 abc\n');
  bucket.change(steps[0]?.key ?? '', () => age);
  const message = await failure(bucket, 'REPLICA_NO_IDENTITY');
  expect(message).toMatch(/snapshots\/00000000.snapshot.lz4 .* is encrypted with age/);
  const source = bucket.source();
  const survey = await surveyV03(source, await listGenerations(source.client, ''), {});
  expect(survey).toMatchObject({ kind: 'unusable', error: { code: 'REPLICA_NO_IDENTITY' } });
});

test('a bucket that is encrypted with age is restored with an identity, and only whole', async () => {
  const { bucket, steps } = history();
  const keys = await newKeys();
  for (const key of bucket.keys) {
    const encrypted = await encryptFor(keys.recipient, bucket.bytes(key));
    bucket.change(key, () => encrypted);
  }
  const last = steps.at(-1);
  bucket.identities = [keys.identity];
  expect((await restored(bucket)).equals(last?.expected ?? Buffer.alloc(0))).toBe(true);
  bucket.change(last?.key ?? '', (bytes) => bytes.subarray(0, -1));
  expect(await failure(bucket, 'RESTORE_DAMAGED')).toMatch(/age file is damaged or cut short/);
  bucket.change(steps[0]?.key ?? '', (bytes) => bytes.subarray(0, -1));
  const source = bucket.source();
  const survey = await surveyV03(source, await listGenerations(source.client, ''), {});
  expect(survey).toMatchObject({ kind: 'unusable', error: { code: 'RESTORE_DAMAGED' } });
  bucket.identities = [(await newKeys()).identity];
  await failure(bucket, 'REPLICA_NO_IDENTITY');
});

test('an object that is something else is an error that says so', async () => {
  const { bucket, steps } = history();
  bucket.change(steps[0]?.key ?? '', () => Buffer.from('<html>'));
  expect(await failure(bucket, 'RESTORE_DAMAGED')).toMatch(/neither an LZ4 frame nor encrypted/);
});

/** A snapshot that is a whole LZ4 frame, but no database. */
const NO_DATABASE: readonly (readonly [string, (file: Buffer) => Uint8Array, RegExp])[] = [
  ['text', () => Buffer.from('a letter to a friend'), /it is not a SQLite database/],
  ['few bytes', (file) => file.subarray(0, 10), /it is not a SQLite database/],
  ['no bytes', () => Buffer.alloc(0), /it is empty/],
  [
    'a wrong page size',
    (file) => file.with(17, 3),
    /page size is \d+, which SQLite does not allow/,
  ],
  ['part of a page', (file) => file.subarray(0, -1), /are not whole pages of 4096 bytes/],
  [
    'a page size that the WAL does not have',
    (file) => file.with(16, 2), // 512
    /its page size is 512, but that of its WAL is 4096/,
  ],
];

test.each(NO_DATABASE)(
  'a snapshot that holds %s is an error that names it',
  async (_, change, why) => {
    const { bucket, steps } = history();
    const [first] = steps;
    const file = first?.expected ?? Buffer.alloc(0);
    bucket.put(snapshotKey(0), frame(change(file)), first?.atMs ?? 0);
    const message = await failure(bucket, 'RESTORE_DAMAGED');
    expect(message).toContain(`${G}/snapshots/00000000.snapshot.lz4`);
    expect(message).toMatch(why);
  },
);

test('a snapshot that is no database is replaced by an earlier one', async () => {
  for (const [, change] of NO_DATABASE) {
    const { bucket, steps } = history();
    const start = steps.find(({ key }) => key === segmentKey(2, 0));
    bucket.put(snapshotKey(2), frame(change(start?.expected ?? Buffer.alloc(0))), start?.atMs ?? 0);
    const output = path.join(temporaryFolder(), 'restored.db');
    const report = await restoreV03({ source: bucket.source(), target: {}, output });
    expect(report.avoided).toMatchObject([
      { file: `${G}/snapshots/00000002.snapshot.lz4`, code: 'RESTORE_DAMAGED' },
    ]);
    expect(fs.readFileSync(output).equals(steps.at(-1)?.expected ?? Buffer.alloc(0))).toBe(true);
  }
});

test('if a generation is damaged, the error names the others that can be restored', async () => {
  const { bucket, steps } = history();
  const [first] = steps;
  const file = first?.expected ?? Buffer.alloc(0);
  const [next, newest] = ['1123456789abcdef', 'ffffffffffffffff'];
  bucket.put(snapshotKey(0, next), frame(file), 98_000_000);
  bucket.put(snapshotKey(0, newest), frame(Buffer.from('text')), 99_000_000);
  const found =
    /other generations can be restored: -generation 1123456789abcdef \(last upload .*\), -generation 0123456789abcdef \(/;
  expect(await failure(bucket, 'RESTORE_DAMAGED')).toMatch(found);
  bucket.put(segmentKey(0, 0, newest), frame(file), 99_000_000);
  bucket.store.objects.delete(snapshotKey(0, newest));
  const source = bucket.source();
  const survey = await surveyV03(source, await listGenerations(source.client, ''), {});
  expect(survey).toMatchObject({
    kind: 'unusable',
    error: { code: 'RESTORE_GAP', message: expect.stringMatching(found) },
  });
});

test('objects with unknown names do not make a generation newer', async () => {
  const { bucket, steps } = history();
  const stray = 'ffffffffffffffff';
  bucket.put(
    `generations/${stray}/snapshots/00000000.snapshot.lz4.tmp`,
    Buffer.from('x'),
    99_000_000,
  );
  bucket.put(`generations/${G}/notes.txt`, Buffer.from('x'), 99_000_000);
  expect((await restored(bucket)).equals(steps.at(-1)?.expected ?? Buffer.alloc(0))).toBe(true);
  const [, last] = await listGenerations(bucket.source().client, '');
  expect(last).toMatchObject({ id: stray, snapshots: [], segments: [] });
});

test('an abort leaves nothing behind', async () => {
  const { bucket } = history();
  const stop = new AbortController();
  const folder = temporaryFolder();
  const restoring = restoreV03({
    source: bucket.source(),
    target: {},
    output: path.join(folder, 'restored.db'),
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('stopped')),
  });
  await expect(restoring).rejects.toThrow('stopped');
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('a transaction larger than memory goes through a file, which is removed', () => {
  const folder = temporaryFolder();
  const open = new OpenTransaction(path.join(folder, 'open'), 2_048);
  const page = (byte: number): Uint8Array => new Uint8Array(1_024).fill(byte);
  for (const [pgno, byte] of [
    [1, 1],
    [2, 2],
    [3, 3],
    [1, 4],
  ] as const) {
    open.add(pgno, page(byte));
  }
  expect(fs.readdirSync(folder)).toEqual(['open']);
  const got: number[][] = [];
  const commit = (): void => open.commit((pgno, bytes) => got.push([pgno, bytes[0] ?? 0]));
  commit();
  commit();
  expect(got).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [1, 4],
  ]);
  open.close();
  expect(fs.readdirSync(folder)).toEqual([]);
});

test('a transaction is written when its commit frame arrives, not before', async () => {
  const { bucket } = history();
  const wal = await walOf(bucket, 0);
  let written = 0;
  const stream = new WALStream({
    kernel: createKernel(),
    open: new OpenTransaction(path.join(temporaryFolder(), 'open')),
    writePage: () => (written += 1),
  });
  let [frames, committed] = [0, 0];
  stream.push(wal.subarray(0, 32));
  for (let at = 32; at < wal.length; at += 24 + 4_096) {
    frames += 1;
    if (wal.readUInt32BE(at + 4) > 0) committed = frames;
    for (const [from, to] of [
      [0, 1],
      [1, 4_000],
      [4_000, 24 + 4_096],
    ] as const) {
      stream.push(wal.subarray(at + from, at + to));
    }
    expect([frames, written]).toEqual([frames, committed]);
  }
  expect(() => stream.push(new Uint8Array(24 + 4_096))).toThrow(/does not match its checksum/);
});

/** All segments of a WAL. */
async function walOf(bucket: OldBucket, index: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const key of bucket.keys.filter((each) => each.includes(`/wal/0000000${index}_`))) {
    for await (const bytes of decodeLZ4Frame(chunk(bucket.bytes(key)))) {
      parts.push(Buffer.from(bytes));
    }
  }
  return Buffer.concat(parts);
}

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
