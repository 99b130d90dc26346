/** A restore over S3 survives what networks, retention and disks do to it, byte for byte. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { restore, type RestoreReport } from '@sluice/core';
import { useS3 } from '../servers/s3-fixture.ts';
import type { FaultKind, LoggedRequest } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { S3History } from './bucket.ts';

const fixture = useS3();
const MIB = 1024 * 1024;
const LAST = 12;
const OLDER = 4;
const NEWER = 8;

/** 40 MiB of pages: snapshots of 20 MiB are read in several ranges, with threads. */
const SHAPE = { pages: 10_000, txids: LAST, changes: 40 } as const;

/** Two snapshots, increments, and merges of some of them. */
function newHistory(): S3History {
  const history = new S3History(fixture.server, SHAPE);
  history.put(9, 1, OLDER);
  history.put(9, 1, NEWER);
  history.put(1, OLDER + 1, NEWER);
  history.put(1, NEWER + 1, LAST - 1);
  for (let txid = OLDER + 1; txid <= LAST; txid++) history.put(0, txid, txid);
  return history;
}

interface Restored {
  readonly report: RestoreReport;
  readonly bytes: Buffer;
}

async function run(history: S3History): Promise<Restored> {
  const destination = await fixture.wrapped();
  onTestFinished(() => destination.close());
  const output = path.join(temporaryFolder('faults'), 'app.db');
  const { capabilities } = destination;
  const client = destination.replica(history.root);
  const sources = [{ name: 's3', client, capabilities }];
  const report = await restore({ sources, output, target: { kind: 'latest' } });
  return { report, bytes: fs.readFileSync(output) };
}

/** Requests for pages of this file. */
function readsOf(key: string): (request: LoggedRequest) => boolean {
  return ({ operation, key: asked }) => operation === 'GetObject' && asked === key;
}

const listings = (): number => fixture.server.requests.of('ListObjectsV2').length;

for (const [what, fault] of [
  ['that is cut', { kind: 'cut-response', afterBytes: MIB }],
  ['that stalls', { kind: 'stall-response', afterBytes: MIB }],
  ['whose answer is lost', { kind: 'lose-answer' }],
] satisfies [string, FaultKind][]) {
  test(`a connection ${what} in the middle of a file, three times, is opened again`, async () => {
    const history = newHistory();
    const on = readsOf(history.keyOf(9, 1, NEWER));
    const injected = fixture.server.faults.add(fault, { on, after: 1, times: 3 });
    const { report, bytes } = await run(history);
    expect(bytes.equals(history.bytes(LAST))).toBe(true);
    expect([injected.hits, report.avoided, listings()]).toEqual([3, [], 1]);
  });
}

test('a connection that is always cut ends in an error', async () => {
  const history = newHistory();
  const on = readsOf(history.keyOf(9, 1, NEWER));
  const fault = { kind: 'cut-response', afterBytes: 1000 } as const;
  fixture.server.faults.add(fault, { on, times: Number.MAX_SAFE_INTEGER });
  await expect(run(history)).rejects.toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
});

test('a file that retention removes while it is read is replaced from a fresh listing', async () => {
  const history = newHistory();
  const key = history.keyOf(9, 1, NEWER);
  const held = fixture.server.faults.add({ kind: 'hold-request' }, { on: readsOf(key), after: 2 });
  const running = run(history);
  await held.acted;
  history.put(9, 1, LAST - 1); // the next snapshot, and then what it replaces goes
  for (let txid = OLDER + 1; txid < LAST; txid++) {
    fixture.server.raw.remove(history.keyOf(0, txid, txid));
  }
  for (const [min, max] of [
    [OLDER + 1, NEWER],
    [NEWER + 1, LAST - 1],
  ] as const) {
    fixture.server.raw.remove(history.keyOf(1, min, max));
  }
  fixture.server.raw.remove(key);
  held.release();
  const { report, bytes } = await running;
  expect(bytes.equals(history.bytes(LAST))).toBe(true);
  expect([report.avoided, report.filesRead, listings()]).toEqual([[], 2, 2]);
});

test('a damaged file is replaced by another level that covers it, and named', async () => {
  const history = newHistory();
  history.damage(1, NEWER + 1, LAST - 1);
  const { report, bytes } = await run(history);
  expect(bytes.equals(history.bytes(LAST))).toBe(true);
  expect(report.avoided.map(({ file }) => file)).toEqual([
    'level 1 0000000000000009-000000000000000b.ltx',
  ]);
});

test('a damaged snapshot is replaced by an older one and more files, and named', async () => {
  const history = newHistory();
  history.damage(9, 1, NEWER);
  history.damage(1, OLDER + 1, NEWER);
  const { report, bytes } = await run(history);
  expect(bytes.equals(history.bytes(LAST))).toBe(true);
  expect(report.avoided.map(({ file }) => file).sort()).toEqual([
    'level 1 0000000000000005-0000000000000008.ltx',
    'level 9 0000000000000001-0000000000000008.ltx',
  ]);
});

test('a damaged file that nothing covers ends in its error', async () => {
  const history = newHistory();
  history.damage(0, LAST, LAST);
  await expect(run(history)).rejects.toMatchObject({
    code: 'LTX_CHECKSUM_MISMATCH',
    message: expect.stringContaining('level 0 000000000000000c') as string,
  });
});
