/** Requests of the Google Cloud Storage backend, as the server receives them, and its sockets. */

import { createHash } from 'node:crypto';
import { keyOf, toTXID, Replica } from '@sluice/core/backend/testing';
import { readBytes } from '@sluice/core/backend';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectGCS } from '../servers/gcs-access.ts';
import { countSockets, PART_BYTES, useGCS } from '../servers/gcs-fixture.ts';
import { bodyOf, CREATED_AT, inParallel, list, pattern, read, ref } from './context.ts';
import { copyFile } from '../support/copy.ts';

const gcs = useGCS();
const FILE = ref(0, 1);
const KEY = keyOf('tree', 'db', FILE);
const TIMESTAMP = { 'litestream-timestamp': CREATED_AT.toISOString() };

describe('a write', () => {
  test('of a small file is one request, with its length and the MD5 of its bytes', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const bytes = pattern(70_000, 1);
    const info = await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
    expect(gcs.server.requests).toHaveLength(1);
    const { query, headers, bodyBytes, status } = gcs.only('put');
    expect(status).toBe(200);
    expect(query.get('ifGenerationMatch')).toBe('0');
    expect(query.get('name')).toBe('db/ltx/0/0000000000000001-0000000000000001.ltx');
    expect(headers['content-length']).toBe(String(bodyBytes));
    expect(headers['transfer-encoding']).toBeUndefined();
    expect(gcs.server.raw.get(KEY)).toMatchObject({ md5Hash: md5(bytes), metadata: TIMESTAMP });
    expect(Math.abs(info.modifiedAt.getTime() - Date.now())).toBeLessThan(5_000);
    expect(info.createdAt).toEqual(CREATED_AT);
  });

  test('without a condition sends no condition', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES + 1, 1)));
    for (const operation of ['put', 'begin-upload'] as const) {
      expect(gcs.only(operation).query.get('ifGenerationMatch')).toBeNull();
    }
  });

  test('of up to one part is a single request; of one byte more, a resumable upload', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES, 1)));
    expect(gcs.server.requests).toHaveLength(1);
    await replica.writeFile(FILE, bodyOf(pattern(PART_BYTES + 1, 1)));
    expect(gcs.server.requestsOf('put-part')).toHaveLength(2);
  });

  test('of more than eight parts uses larger parts', async () => {
    const replica = new Replica(await gcs.connected({ 'part-size': 1024 * 1024 }), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9 * 1024 * 1024, 1)));
    const sizes = gcs.server.requestsOf('put-part').map(({ bodyBytes }) => bodyBytes);
    expect(sizes).toEqual([...Array.from({ length: 4 }, () => 2 * 1024 * 1024), 1024 * 1024]);
  });

  test('of a large file sends equal parts, the last one with the MD5 of all bytes', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    const bytes = pattern(2 * PART_BYTES + 10, 1);
    await replica.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
    const begun = gcs.only('begin-upload');
    expect(begun.query.get('ifGenerationMatch')).toBe('0');
    expect(begun.headers['x-upload-content-length']).toBe(String(bytes.byteLength));
    const sent = gcs.server
      .requestsOf('put-part')
      .map(({ headers }) => [headers['content-range'], headers['x-goog-hash']]);
    const total = bytes.byteLength;
    expect(sent).toEqual([
      [`bytes 0-${PART_BYTES - 1}/${total}`, undefined],
      [`bytes ${PART_BYTES}-${2 * PART_BYTES - 1}/${total}`, undefined],
      [`bytes ${2 * PART_BYTES}-${total - 1}/${total}`, `md5=${md5(bytes)}`],
    ]);
    expect(gcs.server.raw.get(KEY)).toMatchObject({ md5Hash: md5(bytes), metadata: TIMESTAMP });
    expect(gcs.server.uploads.open).toBe(0);
  });
});

describe('a read', () => {
  test('sends a range only if one is requested, and the version as a generation', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(100, 1)));
    await read(replica, FILE);
    const { version = '' } = await replica.openFile(FILE, { range: { start: 10, end: 20 } });
    await replica.openFile(FILE, { range: { start: 10 }, version });
    const sent = gcs.server
      .requestsOf('media')
      .map(({ headers, query }) => [headers.range, query.get('ifGenerationMatch')]);
    expect(sent).toEqual([
      [undefined, null],
      ['bytes=10-19', null],
      ['bytes=10-', version],
    ]);
  });

  test('lists all levels with one recursive listing, and starts a level at a TXID with startOffset', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    for (const txid of [0xaa, 0xab, 0xac]) {
      await replica.writeFile(ref(3, txid), bodyOf(pattern(9, 1)));
    }
    expect(await list(replica, 'all')).toHaveLength(3);
    expect(await list(replica, 3, { from: toTXID(0xab) })).toHaveLength(2);
    const sent = gcs.server
      .requestsOf('list')
      .map(({ query }) => ['prefix', 'delimiter', 'startOffset'].map((name) => query.get(name)));
    expect(sent).toEqual([
      ['db/ltx/', null, null],
      ['db/ltx/3/', null, 'db/ltx/3/00000000000000ab'],
    ]);
  });

  test('lists the creation time from the metadata, or none if it is missing', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    gcs.server.raw.put(keyOf('tree', 'db', ref(0, 2)), pattern(9, 1));
    const [ours, others] = await list(replica, 0);
    expect(ours?.createdAt).toEqual(CREATED_AT);
    expect(others).not.toHaveProperty('createdAt');
  });
});

test.each(['', '.', '/db', 'db/', 'a b/ü+%?#&', 'tenants/a.db'])(
  'the root %j is sent unchanged as part of the keys',
  async (root) => {
    const replica = new Replica(await gcs.connected(), root);
    const large = pattern(PART_BYTES + 1, 1);
    await replica.writeFile(FILE, bodyOf(pattern(9, 1)));
    await replica.writeFile(ref(9, 1), bodyOf(large));
    await copyFile(replica, FILE, ref(1, 1));
    const files = [FILE, ref(1, 1), ref(9, 1)];
    expect(gcs.server.raw.keys()).toEqual(files.map((file) => keyOf('tree', root, file)));
    expect(await list(replica, 'all')).toHaveLength(3);
    expect(await read(replica, FILE)).toHaveLength(9);
    await replica.deleteFiles(files);
    expect(gcs.server.raw.keys()).toEqual([]);
  },
);

test('a copy of any size is made by the server and keeps the creation time', async () => {
  const replica = new Replica(await gcs.connected(), 'db');
  for (const sizeBytes of [9, 1_500_000]) {
    await replica.writeFile(FILE, bodyOf(pattern(sizeBytes, 1)));
    expect(await copyFile(replica, FILE, ref(4, 1))).toMatchObject({
      key: keyOf('tree', 'db', ref(4, 1)),
      sizeBytes,
    });
  }
  expect(gcs.server.raw.get(keyOf('tree', 'db', ref(4, 1)))?.metadata).toEqual(TIMESTAMP);
  // The large copy needs two requests.
  expect(gcs.server.requestsOf('rewrite')).toHaveLength(3);
  expect(gcs.server.requestsOf('media')).toEqual([]);
});

describe('sockets', () => {
  test('are limited to 16 even if more files are read at once, and each file is complete', async () => {
    const sockets = countSockets();
    const replica = new Replica(await gcs.connected(), 'db');
    const bytes = pattern(1_000_000, 1);
    await replica.writeFile(FILE, bodyOf(bytes));
    const opened = await Promise.all(Array.from({ length: 24 }, () => replica.openFile(FILE)));
    // While all of them are open and partly read, other calls still work.
    const readers = opened.map(({ body }) => body[Symbol.asyncIterator]());
    const first = await Promise.all(readers.map((reader) => reader.next()));
    await replica.writeFile(ref(0, 2), bodyOf(bytes));
    await inParallel([...readers.entries()], async ([index, reader]) => {
      const rest = await readBytes({ [Symbol.asyncIterator]: () => reader }, bytes.byteLength);
      const whole = Buffer.concat([first[index]?.value as Uint8Array, rest]);
      expect(Buffer.compare(whole, bytes)).toBe(0);
    });
    expect(sockets.max).toBeLessThanOrEqual(16);
  });

  test('of parked reads are reopened, and the read fails with REPLICA_CHANGED if the file has changed', async () => {
    const replica = new Replica(await gcs.connected(), 'db');
    await replica.writeFile(FILE, bodyOf(pattern(3_000_000, 1)));
    const opened = await Promise.all(Array.from({ length: 17 }, () => replica.openFile(FILE)));
    await replica.writeFile(FILE, bodyOf(pattern(3_000_000, 2)));
    const ended = await Promise.allSettled(opened.map(({ body }) => readBytes(body, 3_000_000)));
    const parked = ended.filter(({ status }) => status === 'rejected');
    expect(parked.length).toBeGreaterThan(0);
    for (const each of parked) {
      expect(each).toMatchObject({ reason: { code: 'REPLICA_CHANGED' } });
    }
    for (const each of ended) {
      if (each.status === 'rejected') continue;
      expect(Buffer.compare(each.value, pattern(3_000_000, 1))).toBe(0);
    }
  });
});

test.each(['127.0.0.1', 'http://127.0.0.1'])(
  'STORAGE_EMULATOR_HOST=%s:… receives the requests, without credentials',
  async (host) => {
    const { port } = new URL(gcs.server.endpoint);
    process.env['STORAGE_EMULATOR_HOST'] = `${host}:${port}`;
    onTestFinished(() => void delete process.env['STORAGE_EMULATOR_HOST']);
    const place = { bucket: gcs.server.bucket, endpoint: undefined };
    const destination = await connectGCS(place);
    onTestFinished(() => destination.close());
    await new Replica(destination, 'db').writeFile(FILE, bodyOf(pattern(9, 1)));
    expect(gcs.only('put').headers.authorization).toBeUndefined();
  },
);

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
