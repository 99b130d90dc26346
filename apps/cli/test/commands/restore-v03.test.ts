/** Backups of Litestream 0.3: a user who changes only the name of the program gets the database back. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
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

function restoring(bucket: string, ...more: string[]): { words: string[]; output: string } {
  const output = path.join(temporaryFolder(), 'app.db');
  return { words: ['restore', ...more, '-o', output, `file://${bucket}`], output };
}

test('the latest state is restored, also with the flags of a start script', async () => {
  for (const flags of [
    [],
    ['-if-replica-exists', '-if-db-not-exists'],
    ['-integrity-check=full'],
  ]) {
    const { words, output } = restoring(oldBucket(), ...flags);
    const { code, stdout, stderr } = await sluice(words);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      new RegExp(
        `from file \\(file://.*\\): generation ${GENERATION} of Litestream 0.3 up to 00000000:000fa778, uploaded at`,
      ),
    );
    expect(sha256(output)).toBe(LATEST);
  }
});

test('-timestamp and -generation restore that state; -json names generation and position', async () => {
  const { at = '', file_sha256 } = moments[8] ?? {};
  const { words, output } = restoring(
    oldBucket(),
    '-timestamp',
    at,
    '-generation',
    GENERATION,
    '-json',
  );
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    generation: GENERATION,
    position: expect.stringMatching(/^0{8}:/) as string,
  });
  expect(sha256(output)).toBe(file_sha256);
});

test('a time after the last upload is the latest state', async () => {
  const { words, output } = restoring(oldBucket(), '-timestamp', '2026-11-24T00:00:00Z');
  expect((await sluice(words)).code).toBe(0);
  expect(sha256(output)).toBe(LATEST);
});

test('-force keeps the file that it replaces', async () => {
  const { words, output } = restoring(oldBucket(), '-force');
  fs.writeFileSync(output, 'the old file');
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  const [kept = ''] = fs.readdirSync(path.dirname(output)).filter((name) => name !== 'app.db');
  expect(stdout).toContain(
    `the file that it replaced is now ${path.join(path.dirname(output), kept)}`,
  );
  expect(sha256(output)).toBe(LATEST);
});

test('-index restores up to the end of that WAL', async () => {
  const { words, output } = restoring(oldBucket(), '-generation', GENERATION, '-index', '0');
  expect((await sluice(words)).code).toBe(0);
  expect(sha256(output)).toBe(LATEST);
});

test('-dry-run lists the objects and writes nothing', async () => {
  const { words, output } = restoring(oldBucket(), '-dry-run');
  const { stdout } = await sluice(words);
  expect(stdout).toContain(`  ${GENERATION}/snapshots/00000000.snapshot.lz4  371 bytes\n`);
  expect(fs.existsSync(output)).toBe(false);
});

test.each([
  [['-index', '0'], 2, /-index needs -generation/],
  [['-generation', 'abc'], 2, /-generation is 16 hex digits/],
  [['-generation', GENERATION, '-index', '80000000'], 2, /at most 7fffffff/],
  [['-generation', GENERATION, '-index', '0', '-timestamp', '2026-01-01T00:00:00Z'], 2, /together/],
  [['-generation', GENERATION, '-txid', '0000000000000001'], 2, /together/],
  [['-generation', '0123456789abcdef'], 10, new RegExp(`the stored generations are ${GENERATION}`)],
  [['-timestamp', '2020-01-01T00:00:00Z'], 10, /covers 372397bae1f78807 \(2026-.* to 2026-/],
  [['-txid', '0000000000000001'], 1, /a backup of Litestream 0.3 .* has no TXIDs/],
])('%j is an error, also with -if-replica-exists', async (flags, expected, message) => {
  const { words, output } = restoring(oldBucket(), '-if-replica-exists', ...flags);
  const { code, stderr } = await sluice(words);
  expect(code).toBe(expected);
  expect(stderr).toMatch(message);
  expect(fs.existsSync(output)).toBe(false);
});

test.each([
  ['a damaged segment', (file: string) => fs.truncateSync(file, 100), 5, 'RESTORE_DAMAGED'],
  ['a missing segment', (file: string) => fs.rmSync(file), 5, 'RESTORE_GAP'],
] as const)('%s is an error, never "no backup"', async (_, damage, expected, errorCode) => {
  const bucket = oldBucket();
  damage(objectsIn(bucket)[9] ?? '');
  const { words, output } = restoring(bucket, '-if-replica-exists', '-if-db-not-exists');
  const { code, stderr } = await sluice(words);
  expect(code).toBe(expected);
  expect(stderr).toContain(errorCode);
  expect(stderr).toMatch(/use -generation 372397bae1f78807 -timestamp 2026-11-23T/);
  expect(fs.existsSync(output)).toBe(false);
  const earlier = /-timestamp (\S+)/.exec(stderr)?.[1] ?? '';
  const again = restoring(bucket, '-generation', GENERATION, '-timestamp', earlier);
  expect((await sluice(again.words)).code).toBe(0);
});

test('an encrypted or unknown snapshot is an error, never "no backup"', async () => {
  for (const [content, message] of [
    ['age-encryption.org/v1\n-> X25519 abc\n', /no identity: it is encrypted with age/],
    ['something else', /neither an LZ4 frame nor encrypted/],
  ] as const) {
    const bucket = oldBucket();
    fs.writeFileSync(objectsIn(bucket)[0] ?? '', content);
    for (const flag of ['-if-replica-exists', '-dry-run']) {
      const { code, stderr } = await sluice(restoring(bucket, flag).words);
      expect(code).toBeGreaterThan(0);
      expect(stderr).toMatch(message);
    }
  }
});

test('a generation without usable names is an error, never "no backup"', async () => {
  const bucket = temporaryFolder();
  const folder = path.join(bucket, 'generations', GENERATION, 'snapshots');
  fs.mkdirSync(folder, { recursive: true });
  writeFile(folder, '00000000.snapshot.zst', 'x');
  const { code, stderr } = await sluice(restoring(bucket, '-if-replica-exists').words);
  expect(code).toBe(5);
  expect(stderr).toMatch(/objects of unknown form: .*00000000.snapshot.zst/);
});

test('with both layouts, newer LTX files are restored', async () => {
  const ltx = expectedOf('block-4k').at(-1);
  const { words, output } = restoring(bothLayouts('earlier'));
  const { stdout, stderr } = await sluice(words);
  expect([stdout, stderr]).toEqual([expect.stringContaining(`TXID ${ltx?.txid}`), '']);
  expect(sha256(output)).toBe(ltx?.file_sha256);
});

test('with both layouts, a newer backup of Litestream 0.3 is restored, and the LTX files are named', async () => {
  const { database, backup } = scene(3);
  expect((await sluice(['replicate', '-once', database, `file://${backup}`])).code).toBe(0);
  fs.cpSync(goldenBucket('v03-4k'), backup, { recursive: true });
  const later = new Date(Date.now() + 60_000);
  for (const file of objectsIn(backup)) fs.utimesSync(file, later, later);
  const { words, output } = restoring(backup);
  const { stdout, stderr } = await sluice(words);
  expect(stdout).toContain('of Litestream 0.3 up to');
  expect(stderr).toMatch(
    /newest state is in the backup of Litestream 0.3, not in the LTX files there \(TXID/,
  );
  expect(sha256(output)).toBe(LATEST);
});

test('with both layouts in a copied bucket, whose times say nothing, one must be chosen', async () => {
  const bucket = bothLayouts('later');
  const unclear = await sluice(restoring(bucket, '-if-db-not-exists').words);
  expect(unclear.code).toBe(11);
  expect(unclear.stderr).toMatch(/with -txid 0000000000000019, or .* -generation/);
  const old = restoring(bucket, '-generation', GENERATION);
  expect((await sluice(old.words)).code).toBe(0);
  expect(sha256(old.output)).toBe(LATEST);
  const ltx = restoring(bucket, '-txid', '0000000000000019');
  expect((await sluice(ltx.words)).code).toBe(0);
  expect(sha256(ltx.output)).toBe(expectedOf('block-4k').at(-1)?.file_sha256);
});

test('a time that only one of both layouts covers is restored from that one', async () => {
  const bucket = bothLayouts('later');
  for (const { at = '', file_sha256 = '' } of [moments[4] ?? {}, expectedOf('block-4k')[5] ?? {}]) {
    const { words, output } = restoring(bucket, '-timestamp', at);
    expect((await sluice(words)).code).toBe(0);
    expect(sha256(output)).toBe(file_sha256);
  }
  const outside = await sluice(restoring(bucket, '-timestamp', '2020-01-01T00:00:00Z').words);
  expect(outside.code).toBe(10);
  expect(outside.stderr).toMatch(
    /Litestream 0.3 covers .*; and of the LTX files: there is a backup, but not of/,
  );
});

test('of two destinations, the one with the newer state is used', async () => {
  const behind = oldBucket();
  for (const file of objectsIn(behind).slice(10)) fs.rmSync(file);
  const output = path.join(temporaryFolder(), 'app.db');
  const config = writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:\n- path: /data/app.db\n  replicas:\n  - { name: near, path: ${behind} }\n  - { name: far, path: ${oldBucket()} }\n`,
  );
  const words = ['restore', '-config', config, '-o', output, '/data/app.db'];
  expect((await sluice(words)).stdout).toContain('from far (');
  expect(sha256(output)).toBe(LATEST);
});

test('LTX files at another destination that seem older must be chosen by hand', async () => {
  const touched = oldBucket(); // its last upload is later than the last commit in the other
  const output = path.join(temporaryFolder(), 'app.db');
  const config = writeFile(
    temporaryFolder(),
    'sluice.yml',
    `dbs:\n- path: /data/app.db\n  replicas:\n  - { name: old, path: ${touched} }\n  - { name: new, path: ${goldenBucket()} }\n`,
  );
  const words = ['restore', '-config', config, '-o', output, '/data/app.db'];
  const { code, stderr } = await sluice(words);
  expect(code).toBe(11);
  expect(stderr).toMatch(
    / {2}old \(.*\): generation 372397bae1f78807 of Litestream 0.3, uploaded at/,
  );
  expect((await sluice([...words, '-replica', 'new'])).code).toBe(0);
});

test('generations lists the backup; ltx says that there is one', async () => {
  const bucket = oldBucket();
  const { code, stdout } = await sluice(['generations', '-json', `file://${bucket}`]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    {
      replica: 'file',
      generation: GENERATION,
      snapshots: 1,
      segments: 25,
      size: 482_425,
      start: new Date(Date.parse(moments[0]?.at ?? '') - 2_000).toISOString(),
      end: new Date(Date.parse(moments.at(-1)?.at ?? '') + 999).toISOString(),
    },
  ]);
  expect((await sluice(['generations', `file://${bucket}`])).stdout).toMatch(
    /^file\s+372397bae1f78807\s+1\s+25/m,
  );
  for (const level of ['0', 'all']) {
    const listing = await sluice(['ltx', '-level', level, `file://${bucket}`]);
    expect(listing.code).toBe(0);
    expect(listing.stderr).toMatch(/has a backup of Litestream 0.3, .*: use .*sluice generations/);
  }
  const none = await sluice(['generations', `file://${goldenBucket()}`]);
  expect([none.code, none.stderr]).toEqual([
    0,
    expect.stringMatching(/no backup of Litestream 0.3/),
  ]);
});
