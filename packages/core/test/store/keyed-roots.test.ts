/** Roots whose keys are not plain, at servers that keep them and at servers that tidy them. */

import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { Destination } from '../../src/store/backend.ts';
import { keyedDestination } from '../../src/store/http/keyed-destination.ts';
import type { KeyedStore } from '../../src/store/http/keyed-store.ts';
import { keyOf, type Layout } from '../../src/store/layout.ts';
import { readBytes } from '../../src/store/read-bytes.ts';
import { wrapDestination } from '../../src/replica/destination.ts';
import { Work } from '../../src/store/http/requests.ts';
import { bodyOf, bytesOf, error, ref } from './fixtures.ts';

const NAME = 'x://bucket';
const FILE = ref(0, 1);
const ODD_ROOTS = ['', 'db/', '/db', 'a//b'];

/** A server with a few keys; a tidy one has them as paths of files, as those over a file system do. */
class Server {
  readonly keys = new Map<string, Uint8Array>();
  readonly puts: string[] = [];
  lists = 0;
  readonly #habit: 'keeps' | 'tidies' | 'refuses';

  constructor(habit: 'keeps' | 'tidies' | 'refuses') {
    this.#habit = habit;
  }

  destination(layout: Layout, access: 'read' | 'write' = 'write'): Destination {
    return keyedDestination(this.#store(layout, access));
  }

  #nameOf(key: string): string {
    return this.#habit === 'keeps' ? key : posix.normalize(key).replace(/^\//, '');
  }

  #store(layout: Layout, access: 'read' | 'write'): KeyedStore {
    const work = new Work(NAME);
    return {
      name: NAME,
      layout,
      access,
      work,
      capabilities: { ranges: true, ifAbsent: 'any-size' },
      listPage: async ({ prefix }) => {
        this.lists += 1;
        const keys = [...this.keys].filter(([key]) => key.startsWith(prefix));
        const modifiedAt = new Date(1_700_000_000_000);
        const objects = keys.map(([key, { byteLength: sizeBytes }]) => {
          return { key, sizeBytes, modifiedAt, version: 'v' };
        });
        return { objects, nextPageToken: undefined };
      },
      open: (key) =>
        work.open(
          { signals: [], whenAborted: 'cut', toError: () => error('REPLICA_UNKNOWN') },
          async () => {
            const bytes = this.keys.get(this.#nameOf(key)) ?? new Uint8Array(0);
            const modifiedAt = new Date();
            const stream = Readable.from([bytes]);
            return { stream, sizeBytes: bytes.byteLength, modifiedAt, version: 'v' };
          },
        ),
      bodyError: () => error('REPLICA_UNAVAILABLE'),
      put: async ({ key, body }) => {
        if (this.#habit === 'refuses') throw error('REPLICA_UNKNOWN', { status: 400 });
        this.puts.push(key);
        this.keys.set(this.#nameOf(key), await readBytes(body.open(), 1_000));
        return { version: 'v', modifiedAt: new Date() };
      },
      delete: async (key) => void this.keys.delete(this.#nameOf(key)),
      close: () => undefined,
    };
  }
}

async function refusalOf(work: Promise<unknown>): Promise<Error> {
  const thrown: unknown = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  expect(isError(thrown, 'REPLICA_UNSUPPORTED'), String(thrown)).toBe(true);
  return thrown as Error;
}

describe('the first write below a root whose keys are not plain', () => {
  test.each(ODD_ROOTS)('%j goes on where the server keeps them', async (root) => {
    const server = new Server('keeps');
    const replica = server.destination('hex-level').replica(root);
    await replica.writeFile(FILE, bodyOf(bytesOf(9)));
    expect([...server.keys.keys()]).toEqual([keyOf('hex-level', root, FILE)]);
    const lists = server.lists;
    await replica.writeFile(ref(0, 2), bodyOf(bytesOf(9)));
    expect(server.lists).toBe(lists); // it is proved once
  });

  test.each(ODD_ROOTS)(
    '%j is refused where the server tidies them, and leaves nothing',
    async (root) => {
      const server = new Server('tidies');
      const replica = server.destination('hex-level').replica(root);
      const refusal = await refusalOf(replica.writeFile(FILE, bodyOf(bytesOf(9))));
      expect(refusal.message).toMatch(
        root === '' ? /set path: without one/ : /set path to (db|a\/b)$/,
      );
      expect([...server.keys]).toEqual([]);
    },
  );

  test('is refused where the server refuses the key, and says why', async () => {
    const replica = new Server('refuses').destination('hex-level').replica('db/');
    const refusal = await refusalOf(replica.writeFile(FILE, bodyOf(bytesOf(9))));
    expect(refusal.message).toMatch(/refuses its keys \(a fault of the test.*\); set path to db$/);
  });

  test('sends no probe where files are there already', async () => {
    const server = new Server('keeps');
    server.keys.set(keyOf('hex-level', 'db/', FILE), bytesOf(9));
    await server
      .destination('hex-level')
      .replica('db/')
      .writeFile(ref(0, 2), bodyOf(bytesOf(9)));
    expect(server.puts).toEqual([keyOf('hex-level', 'db/', ref(0, 2))]);
  });

  test('never lands on the files of another replica', async () => {
    const server = new Server('tidies');
    const key = keyOf('hex-level', 'db', FILE);
    server.keys.set(key, bytesOf(5));
    const destination = server.destination('hex-level');
    await refusalOf(destination.replica('/db').writeFile(FILE, bodyOf(bytesOf(9))));
    await refusalOf(destination.objects?.('/db').put('lock.json', bytesOf(9)) ?? Promise.resolve());
    expect([...server.keys].map(([name, { byteLength }]) => [name, byteLength])).toEqual([
      [key, 5],
    ]);
  });
});

test('a root whose keys are plain costs no request more', async () => {
  const server = new Server('tidies');
  await server
    .destination('hex-level')
    .replica('db')
    .writeFile(FILE, bodyOf(bytesOf(9)));
  expect(server.lists).toBe(0);
  expect(server.puts).toHaveLength(1);
});

describe('a listing of nothing', () => {
  async function listed(server: Server, layout: Layout, root: string): Promise<unknown[]> {
    const destination = wrapDestination(server.destination(layout, 'read'));
    return await Array.fromAsync(destination.replica(root).listFiles('all'));
  }

  test.each([
    ['hex-level', 'tree', /below ltx\/0: they were copied from a folder/],
    ['tree', 'hex-level', /below 0000: they were copied from an S3 bucket/],
  ] as const)('of %s is none where files of %s are there', async (layout, other, message) => {
    const server = new Server('keeps');
    server.keys.set(keyOf(other, 'db', FILE), bytesOf(9));
    expect((await refusalOf(listed(server, layout, 'db'))).message).toMatch(message);
  });

  test('is none where the files are there without the slash', async () => {
    const server = new Server('tidies');
    server.keys.set(keyOf('hex-level', 'db', FILE), bytesOf(9));
    expect((await refusalOf(listed(server, 'hex-level', 'db/'))).message).toMatch(
      /set path to db$/,
    );
  });

  test('is none where a backup of Litestream 0.3 is there', async () => {
    const server = new Server('keeps');
    server.keys.set('db/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4', bytesOf(9));
    const refusal = await refusalOf(listed(server, 'hex-level', 'db'));
    expect(refusal.message).toMatch(/Litestream 0\.3 .*: restore it with Litestream 0\.3\.13/);
  });

  test('is one where something else lies there', async () => {
    const server = new Server('keeps');
    server.keys.set('db/generations/readme.txt', bytesOf(9));
    server.keys.set('db/ltx/readme.txt', bytesOf(9));
    expect(await listed(server, 'hex-level', 'db')).toEqual([]);
  });

  test('for whoever writes is one: there is nothing of its own to lose', async () => {
    const server = new Server('keeps');
    const replica = wrapDestination(server.destination('hex-level', 'write')).replica('db');
    expect(await Array.fromAsync(replica.listFiles('all'))).toEqual([]);
    expect(server.lists).toBe(1);
  });

  test('of one level, or from a TXID on, is one', async () => {
    const server = new Server('keeps');
    server.keys.set(keyOf('tree', 'db', FILE), bytesOf(9));
    const replica = wrapDestination(server.destination('hex-level', 'read')).replica('db');
    expect(await Array.fromAsync(replica.listFiles(0))).toEqual([]);
    expect(await Array.fromAsync(replica.listFiles('all', { from: toTXID(2) }))).toEqual([]);
    expect(server.lists).toBe(2);
  });
});
