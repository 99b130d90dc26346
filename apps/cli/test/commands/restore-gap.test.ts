/** A time in a gap of one destination, and what other backups have. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { cutBucket, expectedOf, goldenBucket, sha256, type Expected } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const HOUR_MS = 3_600_000;

const state = (txid: string): Expected => {
  const found = expectedOf().find((each) => each.txid.endsWith(txid));
  if (found === undefined) throw new Error(`no TXID ${txid}`);
  return found;
};

/** TXID 4 to 8 are missing: 3 is followed by the snapshot of 9. */
function gapBucket(): string {
  const bucket = goldenBucket();
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    if (/0\/0{15}[4-8]-|[123]\/0{15}[26]-/.test(name)) fs.rmSync(path.join(bucket, name));
  }
  return bucket;
}

/** Adds a backup of Litestream 0.3 whose last upload was at `at`. */
function addOld(bucket: string, at: number): string {
  fs.cpSync(goldenBucket('v03-4k'), bucket, { recursive: true });
  const folder = path.join(bucket, 'generations');
  for (const name of fs.readdirSync(folder, { recursive: true }) as string[]) {
    fs.utimesSync(path.join(folder, name), at / 1_000, at / 1_000);
  }
  return bucket;
}

function bucketUpTo(txid: string): string {
  const bucket = goldenBucket();
  cutBucket(bucket, txid.padStart(16, '0'));
  return bucket;
}

/** Restores a time from one or two destinations. */
async function restoreAt(
  { at }: Pick<Expected, 'at'>,
  buckets: readonly string[],
  ...more: string[]
): Promise<{ code: number; stdout: string; stderr: string; output: string }> {
  const folder = temporaryFolder();
  const replicas = buckets.map((bucket, place) => `{ name: ${NAMES[place]}, path: ${bucket} }`);
  const text = `dbs: [{ path: /data/app.db, replicas: [${replicas.join(', ')}] }]\n`;
  const config = writeFile(folder, 'sluice.yml', text);
  const output = path.join(folder, 'app.db');
  const words = ['restore', '-config', config, '-o', output, '-timestamp', at, ...more];
  const { code, stdout, stderr } = await sluice([...words, '/data/app.db']);
  return { code, stdout, stderr, output };
}
const NAMES = ['main', 'other'];

const NEAREST =
  /TXID 0{15}4 to 0{15}8 cannot be restored.*TXID 0{15}3\) before it.*TXID 0{15}9\) after it/;

test('an older backup of Litestream 0.3 beside the LTX files does not replace a gap', async () => {
  const before = Date.parse(state('3').at);
  const older = addOld(gapBucket(), before - HOUR_MS);
  const { code, stderr, output } = await restoreAt(state('6'), [older]);
  expect([code, stderr]).toEqual([10, expect.stringMatching(NEAREST)]);
  expect(fs.existsSync(output)).toBe(false);
});

test('nor if a file in the gap is damaged, and named in the error', async () => {
  const older = addOld(gapBucket(), Date.parse(state('3').at) - HOUR_MS);
  const [whole] = fs.globSync(path.join(goldenBucket(), 'ltx/0/*5.ltx'));
  const damaged = fs.readFileSync(whole ?? '').fill(0, 0, 16);
  fs.writeFileSync(
    path.join(older, 'ltx/1', `${'5'.padStart(16, '0')}-${'9'.padStart(16, '0')}.ltx`),
    damaged,
  );
  fs.writeFileSync(
    path.join(older, 'ltx/9', `${'1'.padStart(16, '0')}-${'5'.padStart(16, '0')}.ltx`),
    damaged,
  );
  const { code, stderr } = await restoreAt(state('6'), [older]);
  expect([code, stderr]).toEqual([10, expect.stringMatching(NEAREST)]);
  expect(stderr).toContain('left out, because it is damaged');
});

test('a backup of Litestream 0.3 that lies in the gap is better than the gap', async () => {
  const between = addOld(gapBucket(), Date.parse(state('5').at));
  const { code, stdout } = await restoreAt(state('6'), [between]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('of Litestream 0.3 up to')]);
});

test.each([
  ['LTX files', () => bucketUpTo('2')],
  ['LTX files that end before the gap', () => bucketUpTo('3')],
  [
    'a backup of Litestream 0.3',
    () => addOld(temporaryFolder(), Date.parse(state('3').at) - HOUR_MS),
  ],
] as const)('another destination with older states does not replace a gap: %s', async (_, make) => {
  const other = make();
  for (const flags of [[], ['-if-db-not-exists'], ['-if-replica-exists']]) {
    const { code, stderr, output } = await restoreAt(state('6'), [gapBucket(), other], ...flags);
    expect([code, stderr]).toEqual([10, expect.stringMatching(NEAREST)]);
    expect(stderr).toMatch(/other \(file:.*\): its last state at or before that time is other/);
    expect(fs.existsSync(output)).toBe(false);
  }
  const chosen = await restoreAt(state('6'), [gapBucket(), other], '-replica', 'other');
  expect(chosen.code).toBe(0);
});

test('both layouts without that time do not hide the gap from an older destination', async () => {
  const late = addOld(gapBucket(), Date.parse(state('6').at) + HOUR_MS);
  const { code, stderr } = await restoreAt(state('6'), [late, bucketUpTo('2')]);
  expect([code, stderr]).toEqual([10, expect.stringMatching(/and of the LTX files: .*before it/)]);
});

test.each([
  ['the state at that time', '6', '6', '19'],
  ['a state in the gap', '6', '5', '5'],
  ['the state before the gap, and the next one', '3', '3', '19'],
])('another destination with %s replaces the gap', async (_, at, expected, end) => {
  const buckets = [gapBucket(), bucketUpTo(end)];
  const { code, output } = await restoreAt(state(at), buckets, '-if-db-not-exists');
  expect(code).toBe(0);
  expect(sha256(output)).toBe(state(expected).file_sha256);
});

test.each([
  // The LTX files of a copied bucket may be newer: then one must be chosen.
  ['after', state('19'), HOUR_MS, 11, 'RESTORE_AMBIGUOUS'],
  ['before', state('2'), -HOUR_MS, 5, 'RESTORE_GAP'],
] as const)(
  'LTX files do not replace a damaged backup of Litestream 0.3 %s them',
  async (_, { at }, offsetMs, expected, name) => {
    const uploadedAt = Date.parse(at) + offsetMs;
    const bucket = addOld(goldenBucket(), uploadedAt);
    const [first = ''] = fs.globSync(
      path.join(bucket, 'generations/*/wal/00000000_00000000.wal.lz4'),
    );
    fs.rmSync(first);
    const wanted = { at: new Date(uploadedAt + HOUR_MS / 2).toISOString() };
    const { code, stderr } = await restoreAt(wanted, [bucket]);
    expect([code, stderr]).toEqual([expected, expect.stringContaining(name)]);
  },
);
