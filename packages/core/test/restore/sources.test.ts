/** A restore reads each file from the source that the plan names for it. */

import { expect, test } from 'vitest';
import type { LTXFileInfo, ReplicaFiles } from '../../src/replica/replica.ts';
import { listAll } from '../../src/restore/plan/listing.ts';
import type { RestoreReport } from '../../src/restore/options.ts';
import { restore } from '../../src/restore/restore.ts';
import type { RestoreSource } from '../../src/restore/plan/sources.ts';
import { randomFrom } from '../support/random.ts';
import { Bucket, encodeFile, History } from './bucket.ts';
import { newSetting } from './setting.ts';

const LAST = 3;

function makeHistory(): History {
  const history = new History(512);
  const random = randomFrom(3);
  for (let txid = 1; txid <= LAST; txid++) history.commit(random, 6, 3);
  return history;
}

/** A bucket with a snapshot and the increments after it. */
function makeBucket(history: History): Bucket {
  const bucket = new Bucket();
  bucket.put(9, 1, 1, encodeFile(1, 1, history.image(1)));
  for (const txid of [2, 3])
    bucket.put(0, txid, txid, encodeFile(txid, txid, history.content(txid, txid)));
  return bucket;
}

/** A client that counts its calls. */
function counted(client: ReplicaFiles): {
  client: ReplicaFiles;
  calls: Record<'list' | 'open', number>;
} {
  const calls = { list: 0, open: 0 };
  return {
    calls,
    client: {
      writeFile: client.writeFile.bind(client),
      deleteFiles: client.deleteFiles.bind(client),
      listFiles(level, options) {
        calls.list += 1;
        return client.listFiles(level, options);
      },
      openFile(file, options) {
        calls.open += 1;
        return client.openFile(file, options);
      },
    },
  };
}

async function restored(
  sources: readonly RestoreSource[],
): Promise<{ report: RestoreReport; bytes: Uint8Array }> {
  const setting = newSetting();
  const { output } = setting;
  const report = await restore({ sources, output, target: { kind: 'latest' } });
  return { report, bytes: setting.bytes() };
}

test('a listing passed by the caller is not repeated', async () => {
  const history = makeHistory();
  const { client, calls } = counted(makeBucket(history).client());
  const listed = await listAll(client);
  const { bytes } = await restored([{ name: 'a', client, listed }]);
  expect(bytes).toEqual(history.bytes(LAST));
  expect(calls.list).toBe(1);
});

test('an outdated listing passed by the caller is repeated once', async () => {
  const history = makeHistory();
  const bucket = makeBucket(history);
  const { client, calls } = counted(bucket.client());
  const listed: LTXFileInfo[] = await listAll(client);
  bucket.put(1, 2, 3, encodeFile(2, 3, history.content(2, 3)));
  for (const txid of [2, 3]) bucket.remove(0, txid, txid); // merged meanwhile
  const { bytes } = await restored([{ name: 'a', client, listed }]);
  expect(bytes).toEqual(history.bytes(LAST));
  expect(calls.list).toBe(2);
});

test('each file is read from a source that has it', async () => {
  const history = makeHistory();
  const [first, second] = [makeBucket(history), makeBucket(history)];
  first.remove(0, 2, 2);
  second.remove(9, 1, 1);
  second.remove(0, 3, 3);
  const [a, b] = [counted(first.client()), counted(second.client())];
  const { report, bytes } = await restored([
    { name: 'a', client: a.client },
    { name: 'b', client: b.client },
  ]);
  expect(bytes).toEqual(history.bytes(LAST));
  expect(report.avoided).toEqual([]);
  expect([a.calls.open, b.calls.open]).toEqual([2, 1]);
});

test('the first source is preferred if several have a file', async () => {
  const history = makeHistory();
  const [a, b] = [counted(makeBucket(history).client()), counted(makeBucket(history).client())];
  await restored([
    { name: 'a', client: a.client },
    { name: 'b', client: b.client },
  ]);
  expect([a.calls.open, b.calls.open]).toEqual([3, 0]);
});

test('a damaged file of one source is replaced by the same file of another', async () => {
  const history = makeHistory();
  const [first, second] = [makeBucket(history), makeBucket(history)];
  const damaged = first.bytes(0, 2, 2).slice();
  damaged[200] = (damaged[200] ?? 0) ^ 1;
  first.put(0, 2, 2, damaged);
  const { report, bytes } = await restored([
    { name: 'a', client: first.client() },
    { name: 'b', client: second.client() },
  ]);
  expect(bytes).toEqual(history.bytes(LAST));
  expect(report.avoided).toMatchObject([
    { source: 'a', file: 'level 0 0000000000000002-0000000000000002.ltx' },
  ]);
});
