/** Roots with keys that are not plain, with servers that keep and that normalize them; backups in other layouts. */

import { posix } from 'node:path';

import { describe, expect, test } from 'vitest';

import { isError } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { Destination } from '../../src/replica/destination.ts';
import { Replica } from '../../src/replica/replica.ts';
import type { Layout, ReplicaClient } from '../../src/store/client.ts';
import { keyOf } from '../../src/store/layout.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { bodyOf, bytesOf, error, ref } from '../store/fixtures.ts';
import { plain } from '../support/files-view.ts';

const FILE = ref(0, 1);
const ODD_ROOTS = ['', 'db/', '/db', 'a//b'];

/** A server with a few keys. Some normalize keys like file paths, like servers over a file system. */
class Server {
  readonly store = new MemoryStore();
  readonly puts: string[] = [];
  lists = 0;
  readonly #habit: 'keeps' | 'tidies' | 'refuses';

  constructor(habit: 'keeps' | 'tidies' | 'refuses') {
    this.#habit = habit;
  }

  get keys(): string[] {
    return [...this.store.objects.keys()];
  }

  add(key: string, sizeBytes = 9): void {
    this.store.put(key, bytesOf(sizeBytes), { modifiedAt: new Date(0) });
  }

  client(layout: Layout): ReplicaClient {
    const inner = memoryClient({ store: this.store, layout });
    return {
      ...plain(inner),
      list: (...given) => {
        this.lists += 1;
        return inner.list(...given);
      },
      put: async (key, body, options) => {
        if (this.#habit === 'refuses') throw error('REPLICA_UNKNOWN', { status: 400 });
        this.puts.push(key);
        return { ...(await inner.put(this.#nameOf(key), body, options)), key };
      },
      delete: (keys, options) =>
        inner.delete(
          keys.map((key) => this.#nameOf(key)),
          options,
        ),
    };
  }

  replica(root: string, layout: Layout = 'levels'): Replica {
    return new Replica(this.client(layout), root);
  }

  #nameOf(key: string): string {
    return this.#habit === 'keeps' ? key : posix.normalize(key).replace(/^\//, '');
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

describe('the first write below a root with keys that are not plain', () => {
  test.each(ODD_ROOTS)('%j succeeds if the server keeps them', async (root) => {
    const server = new Server('keeps');
    const replica = server.replica(root);
    await replica.writeFile(FILE, bodyOf(bytesOf(9)));
    expect(server.keys).toEqual([keyOf('levels', root, FILE)]);
    const lists = server.lists;
    await replica.writeFile(ref(0, 2), bodyOf(bytesOf(9)));
    expect(server.lists).toBe(lists); // it is proved once
  });

  test.each(ODD_ROOTS)(
    '%j is refused if the server normalizes them, and leaves nothing',
    async (root) => {
      const server = new Server('tidies');
      const replica = server.replica(root);
      const refusal = await refusalOf(replica.writeFile(FILE, bodyOf(bytesOf(9))));
      expect(refusal.message).toMatch(
        root === '' ? /set path: without one/ : /set path to (db|a\/b)$/,
      );
      expect(server.keys).toEqual([]);
    },
  );

  test('is refused with the reason if the server refuses the key', async () => {
    const replica = new Server('refuses').replica('db/');
    const refusal = await refusalOf(replica.writeFile(FILE, bodyOf(bytesOf(9))));
    expect(refusal.message).toMatch(/refuses its keys \(a fault of the test.*\); set path to db$/);
  });

  test('sends no probe if there are files already', async () => {
    const server = new Server('keeps');
    server.add(keyOf('levels', 'db/', FILE), 9);
    await server.replica('db/').writeFile(ref(0, 2), bodyOf(bytesOf(9)));
    expect(server.puts).toEqual([keyOf('levels', 'db/', ref(0, 2))]);
  });

  test('never replaces files of another replica', async () => {
    const server = new Server('tidies');
    const key = keyOf('levels', 'db', FILE);
    server.add(key, 5);
    await refusalOf(server.replica('/db').writeFile(FILE, bodyOf(bytesOf(9))));
    await refusalOf(server.replica('/db').objects.put('lock.json', bytesOf(9)));
    const found = [...server.store.objects].map(([name, { bytes }]) => [name, bytes.byteLength]);
    expect(found).toEqual([[key, 5]]);
  });
});

test('a root with plain keys needs no extra request', async () => {
  const server = new Server('tidies');
  await server.replica('db').writeFile(FILE, bodyOf(bytesOf(9)));
  expect(server.lists).toBe(0);
  expect(server.puts).toHaveLength(1);
});

describe('an empty listing', () => {
  async function listed(server: Server, layout: Layout, root: string): Promise<unknown[]> {
    const destination = new Destination(server.client(layout), { access: 'read' });
    return await Array.fromAsync(destination.replica(root).listFiles('all'));
  }

  test.each([
    ['levels', 'tree', /below ltx\/0: they were copied from a folder/],
    ['tree', 'levels', /below 0000: they were copied from an S3 bucket/],
  ] as const)('of %s is an error if there are files of %s', async (layout, other, message) => {
    const server = new Server('keeps');
    server.add(keyOf(other, 'db', FILE), 9);
    expect((await refusalOf(listed(server, layout, 'db'))).message).toMatch(message);
  });

  test('is an error if there are files without the slash', async () => {
    const server = new Server('tidies');
    server.add(keyOf('levels', 'db', FILE), 9);
    expect((await refusalOf(listed(server, 'levels', 'db/'))).message).toMatch(/set path to db$/);
  });

  test('is an error if there is a backup of Litestream 0.3', async () => {
    const server = new Server('keeps');
    server.add('db/generations/0123456789abcdef/snapshots/00000000.snapshot.lz4', 9);
    const refusal = await refusalOf(listed(server, 'levels', 'db'));
    expect(refusal.message).toMatch(/Litestream 0\.3 .*: restore it with "sluice restore"/);
  });

  test('is empty if there are only other objects', async () => {
    const server = new Server('keeps');
    server.add('db/generations/readme.txt', 9);
    server.add('db/ltx/readme.txt', 9);
    expect(await listed(server, 'levels', 'db')).toEqual([]);
  });

  test('is empty for a writer, which has nothing to lose', async () => {
    const server = new Server('keeps');
    const replica = new Destination(server.client('levels')).replica('db');
    expect(await Array.fromAsync(replica.listFiles('all'))).toEqual([]);
    expect(server.lists).toBe(1);
  });

  test('of one level, or from a TXID, is empty', async () => {
    const server = new Server('keeps');
    server.add(keyOf('tree', 'db', FILE), 9);
    const replica = new Destination(server.client('levels'), { access: 'read' }).replica('db');
    expect(await Array.fromAsync(replica.listFiles(0))).toEqual([]);
    expect(await Array.fromAsync(replica.listFiles('all', { from: toTXID(2) }))).toEqual([]);
    expect(server.lists).toBe(2);
  });
});
