/** `sluice drill` and `sluice history` of a destination that has only a backup of Litestream 0.3. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { GENERATION, moments, objectsIn, oldBucket } from '../support/old-bucket.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Row {
  readonly result: string;
  readonly generation?: string;
  readonly position?: string;
  readonly timestamp?: string;
  readonly assertions: readonly { readonly holds: boolean }[];
  readonly problems: readonly { readonly code?: string; readonly object?: string }[];
}

async function drill(bucket: string, ...more: string[]): Promise<{ code: number; row: Row }> {
  const scratch = temporaryFolder();
  const words = ['drill', '-json', '-tmp', scratch, ...more, `file://${bucket}`];
  const { code, stdout } = await sluice(words);
  expect(fs.readdirSync(scratch)).toEqual([]);
  const [row] = JSON.parse(stdout) as [Row];
  return { code, row };
}

test('the newest state is restored and checked', async () => {
  const bucket = oldBucket();
  const { code, row } = await drill(bucket, '-assert', 'SELECT count(*) > 0 FROM sqlite_schema');
  expect(code).toBe(0);
  expect(row).toMatchObject({
    result: 'ok',
    generation: GENERATION,
    position: '00000000:000fa778',
    assertions: [{ holds: true }],
    problems: [],
    comparison: {
      kind: 'not compared',
      why: expect.stringContaining('Litestream 0.3 does not say which TXID') as string,
    },
  });
  const { stdout } = await sluice(['drill', `file://${bucket}`]);
  expect(stdout).toMatch(
    /: ok\n {2}restored generation \w{16} of Litestream 0.3 up to \w+:\w+, up/,
  );
});

test('a time, and any state, can be drilled', async () => {
  const bucket = oldBucket();
  const at = moments[3]?.at ?? '';
  const { row } = await drill(bucket, '-timestamp', at);
  expect(row.result).toBe('ok');
  expect(Date.parse(row.timestamp ?? '')).toBeLessThanOrEqual(Date.parse(at));
  expect((await drill(bucket, '-at', 'random')).row.result).toBe('ok');
});

test('a damaged segment fails the drill and is named; a missing one too', async () => {
  const bucket = oldBucket();
  const [, segment = ''] = objectsIn(bucket);
  const bytes = fs.readFileSync(segment);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  const { atime, mtime } = fs.statSync(segment);
  fs.writeFileSync(segment, bytes);
  fs.utimesSync(segment, atime, mtime);
  const damaged = await drill(bucket);
  expect(damaged.code).toBe(12);
  expect(JSON.stringify(damaged.row.problems)).toContain('00000000');
  fs.rmSync(segment);
  const { code, row } = await drill(bucket);
  expect([code, row.problems[0]?.code]).toEqual([12, 'RESTORE_GAP']);
});

interface History {
  readonly moments: readonly { readonly generation: string; readonly timestamp: string }[];
  readonly generations: readonly { readonly generation: string; readonly newest: string }[];
}

test('history lists the generations and their moments, and each of them restores', async () => {
  const bucket = oldBucket();
  const { code, stdout } = await sluice(['history', '-json', '-limit', '100', `file://${bucket}`]);
  expect(code).toBe(0);
  const [{ generations, moments: listed }] = JSON.parse(stdout) as [History];
  expect(generations).toMatchObject([{ generation: GENERATION, newest: listed[0]?.timestamp }]);
  expect(listed.length).toBeGreaterThan(3);
  for (const { timestamp } of [listed[0], listed[2], listed.at(-1)].filter((each) => !!each)) {
    const { row } = await drill(bucket, '-timestamp', timestamp);
    expect(row).toMatchObject({ result: 'ok', timestamp });
  }
  const text = await sluice(['history', `file://${bucket}`]);
  expect([text.code, text.stdout]).toEqual([
    0,
    expect.stringMatching(
      /a backup of Litestream 0.3.*\n {2}generations, newest first:\n {4}\w{16}: /,
    ),
  ]);
});

test('history before the first upload is an error that names the range', async () => {
  const words = ['history', '-until', '2020-01-01T00:00:00Z', `file://${oldBucket()}`];
  const { code, stderr } = await sluice(words);
  expect(code).toBe(10);
  expect(stderr).toMatch(/the backup of Litestream 0.3 covers \w{16}/);
});
