/** Restores of a time: what is chosen, and the errors if there is nothing to choose. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { damageBucket, damageHeader, expectedOf, goldenBucket, sha256 } from '../support/golden.ts';
import { sluice } from '../support/shell.ts';
import { denyingEndpoint } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const all = expectedOf();
const latest = all.at(-1);

function removeMax(bucket: string, pattern: RegExp): void {
  for (const name of fs.readdirSync(bucket, { recursive: true }) as string[]) {
    if (pattern.test(name)) fs.rmSync(path.join(bucket, name));
  }
}

test('-timestamp restores the state at that time', async () => {
  const expected = all[8];
  const output = path.join(temporaryFolder(), 'app.db');
  const words = [
    'restore',
    '-o',
    output,
    '-timestamp',
    expected?.at ?? '',
    `file://${goldenBucket()}`,
  ];
  expect((await sluice(words)).code).toBe(0);
  expect(sha256(output)).toBe(expected?.file_sha256);
});

interface Chosen {
  readonly txid: string;
  readonly timestamp: string;
  readonly requested: string;
  readonly resolution_ms: number;
  readonly next_txid: string;
  readonly next_timestamp: string;
}

test('-timestamp names the state that it chose, and the next one', async () => {
  const bucket = `file://${goldenBucket()}`;
  const restore = async (...words: string[]): Promise<string> => {
    const output = path.join(temporaryFolder(), 'app.db');
    const { code, stdout, stderr } = await sluice(['restore', '-o', output, ...words, bucket]);
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };
  const requested = all[8]?.at ?? '';
  const chosen = JSON.parse(await restore('-json', '-timestamp', requested)) as Chosen;
  const { timestamp, next_timestamp } = chosen;
  expect(chosen).toMatchObject({
    txid: all[8]?.txid,
    requested,
    next_txid: all[9]?.txid,
    resolution_ms: Date.parse(next_timestamp) - Date.parse(timestamp),
  });
  expect(timestamp < requested && requested < next_timestamp).toBe(true);
  expect(await restore('-timestamp', requested)).toContain(
    `the last state at or before ${requested} was written at ${timestamp}; the next one is TXID ` +
      `${chosen.next_txid}, written at ${next_timestamp} (resolution there: ${chosen.resolution_ms}ms)`,
  );
  // The next time is that of the next state.
  const next = JSON.parse(await restore('-json', '-timestamp', next_timestamp)) as Chosen;
  expect([next.txid, next.timestamp]).toEqual([chosen.next_txid, next_timestamp]);
  const dryRun = await restore('-json', '-dry-run', '-timestamp', requested);
  expect(JSON.parse(dryRun)).toMatchObject({ requested, next_txid: chosen.next_txid });
  expect(await restore('-dry-run', '-timestamp', requested)).toContain('(resolution there: ');
});

test('a time after all states restores the newest one, and says that nothing is newer', async () => {
  const output = path.join(temporaryFolder(), 'app.db');
  const words = ['restore', '-o', output, '-timestamp', '30s ago', `file://${goldenBucket()}`];
  const { code, stdout } = await sluice(words);
  expect(code).toBe(0);
  expect(stdout).toMatch(/was written at 2026-\S+; nothing newer is stored there\n$/);
  expect(sha256(output)).toBe(latest?.file_sha256);
});

test('no backup, unknown TXID, unknown time, gap: each has its exit code, and names the destination', async () => {
  const output = path.join(temporaryFolder(), 'app.db');
  const codeOf = async (folder: string, ...words: string[]): Promise<number> => {
    const { code, stderr } = await sluice(['restore', '-o', output, ...words, `file://${folder}`]);
    expect(stderr).toContain(`file (file://${folder})`);
    return code;
  };
  expect(await codeOf(temporaryFolder())).toBe(4);
  expect(await codeOf(goldenBucket(), '-txid', '00000000000000ff')).toBe(10);
  expect(await codeOf(goldenBucket(), '-timestamp', '2001-01-01T00:00:00Z')).toBe(10);
  const gap = goldenBucket();
  removeMax(gap, /-0*(18|17|16)\.ltx$/);
  expect(await codeOf(gap)).toBe(5);
  const damaged = goldenBucket();
  damageBucket(damaged, latest?.txid ?? '');
  const words = ['restore', '-o', output];
  expect((await sluice([...words, `file://${damaged}`])).code).toBe(5);
  const missing = await sluice([...words, `file://${damaged}/not/there`]);
  expect([missing.code, missing.stderr]).toEqual([7, expect.stringContaining('/not/there')]);
  expect(fs.existsSync(output)).toBe(false);
});

test.each([['restore'], ['history']])(
  '%s: "access denied" is neither "no backup" nor "not of that time", and names every destination',
  async (command) => {
    const endpoint = await denyingEndpoint();
    const s3 = (name: string): string =>
      `{ name: ${name}, type: s3, bucket: of-${name}, path: p, endpoint: "${endpoint}", ` +
      'region: x, access-key-id: a, secret-access-key: bbbbbbbb }';
    const lines = [s3('one'), s3('two')].map((replica) => `  - ${replica}\n`);
    const text = `dbs:\n- path: /data/app.db\n  replicas:\n${lines.join('')}`;
    const config = writeFile(temporaryFolder(), 'sluice.yml', text);
    const output = path.join(temporaryFolder(), 'app.db');
    const flags = command === 'restore' ? ['-o', output, '-timestamp', '2h ago'] : [];
    const { code, stderr } = await sluice([command, ...flags, '-config', config, '/data/app.db']);
    expect(code).toBe(6);
    for (const name of ['one', 'two']) expect(stderr).toContain(`s3://of-${name}`);
    expect(stderr).toContain('REPLICA_PERMISSION_DENIED');
  },
);

test('a missing file in the middle is a gap and is named', async () => {
  const bucket = goldenBucket();
  removeMax(bucket, /-0*(18|17|16)\.ltx$/);
  const output = path.join(temporaryFolder(), 'app.db');
  const { code, stderr } = await sluice(['restore', '-o', output, `file://${bucket}`]);
  expect(code).toBe(5);
  expect(stderr).toMatch(/0000000000000016 to 0000000000000018 is missing .*\(RESTORE_GAP\)/);
});

test('-timestamp restores beside files with damaged headers, and names them', async () => {
  const bucket = goldenBucket();
  for (const state of [all[9], latest]) damageHeader(bucket, state?.txid ?? '');
  for (const [state, damaged] of [
    [all[8], all[9]],
    [latest, latest],
  ]) {
    const output = path.join(temporaryFolder(), 'app.db');
    const words = ['restore', '-o', output, '-timestamp', state?.at ?? '', `file://${bucket}`];
    const { code, stderr } = await sluice(words);
    const name = new RegExp(`level 0 .*${damaged?.txid}.ltx is unusable; other files replaced it`);
    expect([code, stderr]).toEqual([0, expect.stringMatching(name)]);
    expect(sha256(output)).toBe(state?.file_sha256);
  }
});
