import { describe, expect, test } from 'vitest';
import { isError, type ErrorCode } from '../../src/error.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/store/client.ts';
import { keyedDestination } from '../../src/store/http/keyed-destination.ts';
import type { KeyedPaging, KeyedStore, KeyedUpload } from '../../src/store/http/keyed-store.ts';
import { keyOf, objectKey } from '../../src/store/layout.ts';
import { Work } from '../../src/store/http/requests.ts';
import { bodyOf, bytesOf, CREATED_AT, error, ref } from './fixtures.ts';

const NAME = 'x://bucket';
const MODIFIED_AT = new Date(1_700_000_001_000);
const reason = new Error('not wanted');

/** A store that does only what a test says. */
function storeWith(parts: Partial<KeyedStore>): KeyedStore {
  const unexpected = async (): Promise<never> => {
    throw new Error('the test did not expect this call');
  };
  return {
    name: NAME,
    layout: 'tree',
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    work: new Work(NAME),
    listPage: unexpected,
    open: unexpected,
    bodyError: (thrown) => error('REPLICA_UNAVAILABLE', { cause: thrown }),
    put: unexpected,
    delete: unexpected,
    close: () => undefined,
    ...parts,
  };
}

const FILES = [ref(0, 1), ref(0, 2), ref(0, 3)];
const keyOfFile = (file = ref(0, 1)): string => keyOf('tree', 'db', file);

/** A store with pages of these keys, which notes what it is asked. */
function listed(...pages: readonly (readonly string[])[]): {
  store: KeyedStore;
  asked: KeyedPaging[];
} {
  const asked: KeyedPaging[] = [];
  const store = storeWith({
    async listPage(call) {
      asked.push(call);
      const index = Number(call.pageToken ?? 0);
      const objects = (pages[index] ?? []).map((key) => {
        return { key, sizeBytes: 7, modifiedAt: MODIFIED_AT, version: 'v1', createdAt: CREATED_AT };
      });
      return { objects, nextPageToken: index + 1 < pages.length ? `${index + 1}` : undefined };
    },
  });
  return { store, asked };
}

describe('a listing', () => {
  const pages = [[keyOfFile(FILES[0]), 'db/ltx/0/strange'], [], [keyOfFile(FILES[1])]];

  test('goes on to the last page, and takes for files what are files', async () => {
    const { store } = listed(...pages);
    const files = await Array.fromAsync(keyedDestination(store).replica('db').listFiles('all'));
    const more = { sizeBytes: 7, modifiedAt: MODIFIED_AT, createdAt: CREATED_AT };
    expect(files).toEqual([FILES[0], FILES[1]].map((file) => ({ ...file, ...more })));
  });

  test('asks for a page when the one before has been read', async () => {
    const { store, asked } = listed(...pages);
    for await (const _ of keyedDestination(store).replica('db').listFiles('all')) break;
    expect(asked).toHaveLength(1);
  });

  test('of a level starts before the TXID that is asked for, which is in no prefix', async () => {
    const { store, asked } = listed([keyOfFile(FILES[0]), keyOfFile(FILES[1])]);
    const replica = keyedDestination(store).replica('db');
    const files = await Array.fromAsync(replica.listFiles(0, { from: toTXID(2) }));
    expect(files.map(({ minTXID }) => minTXID)).toEqual([toTXID(2)]); // though it was not heeded
    const startAfter = 'db/ltx/0/0000000000000002';
    expect(asked).toMatchObject([{ prefix: 'db/ltx/0/', startAfter }]);
  });

  test('of named objects may start at the first of them', async () => {
    const { store, asked } = listed(['db/a', 'db/b', 'db/c']);
    const objects = keyedDestination(store).objects?.('db').list('', { from: 'b' });
    const names = (await Array.fromAsync(objects ?? [])).map(({ name }) => name);
    expect(names).toEqual(['b', 'c']);
    expect(asked).toMatchObject([{ prefix: 'db/', startAt: 'db/b' }]);
  });

  test('ends between two files of one page when it is aborted', async () => {
    const { store } = listed([keyOfFile(FILES[0]), keyOfFile(FILES[1])]);
    const controller = new AbortController();
    const read = async (): Promise<LTXFileInfo[]> => {
      const files: LTXFileInfo[] = [];
      const { signal } = controller;
      for await (const file of keyedDestination(store).replica('db').listFiles(0, { signal })) {
        files.push(file);
        controller.abort(reason);
      }
      return files;
    };
    await expect(read()).rejects.toBe(reason);
  });
});

describe('an opening', () => {
  test('that finds another version says that it has changed, and how it was told', async () => {
    const conflict = error('REPLICA_CONFLICT', { status: 412 });
    const store = storeWith({ open: async () => await Promise.reject(conflict) });
    const opening = keyedDestination(store).replica('db').openFile(ref(0, 1), { version: 'v1' });
    await expect(opening).rejects.toMatchObject({
      code: 'REPLICA_CHANGED',
      status: 412,
      cause: conflict,
    });
  });

  test('that fails otherwise tells what the store told', async () => {
    const missing = error('REPLICA_NOT_FOUND');
    const store = storeWith({ open: async () => await Promise.reject(missing) });
    const opening = keyedDestination(store).objects?.('db').get('lock.json');
    await expect(opening).rejects.toBe(missing);
  });
});

describe('a write', () => {
  function written(): { store: KeyedStore; puts: KeyedUpload[] } {
    const puts: KeyedUpload[] = [];
    const store = storeWith({
      async put(of) {
        puts.push(of);
        return { version: 'v2', modifiedAt: MODIFIED_AT };
      },
    });
    return { store, puts };
  }

  test('whose answer has no version is not done, and neither is a copy without a size', async () => {
    const store = storeWith({
      put: async () => ({ version: '', modifiedAt: MODIFIED_AT }),
      copy: async () => ({ sizeBytes: NaN, modifiedAt: MODIFIED_AT }),
    });
    const destination = keyedDestination(store);
    const replica = destination.replica('db');
    const unavailable = expect.objectContaining({ code: 'REPLICA_UNAVAILABLE' });
    for (const work of [
      replica.writeFile(ref(0, 1), bodyOf(bytesOf(9))),
      destination.objects?.('db').put('lock.json', bytesOf(9)),
      replica.copyFile?.(ref(0, 1), ref(1, 1)),
    ]) {
      await expect(work).rejects.toEqual(unavailable);
    }
  });

  test('of a file has its own time; of a named object it has none', async () => {
    const { store, puts } = written();
    const destination = keyedDestination(store);
    const options = { condition: 'if-absent' } as const;
    const body = bodyOf(bytesOf(9));
    const info = await destination.replica('db').writeFile(ref(0, 1), body, options);
    // Listings of this store do not carry it, so the answer does not either.
    expect(info).toEqual({ ...ref(0, 1), sizeBytes: 9, modifiedAt: MODIFIED_AT });
    await destination.replica('db').writeFile(ref(0, 1), body, { condition: 'none' });
    const put = { condition: { version: 'v1' } };
    const answer = await destination.objects?.('db').put('lock.json', bytesOf(3), put);
    expect(answer).toEqual({ version: 'v2' });
    expect(puts).toMatchObject([
      { key: keyOfFile(), createdAt: CREATED_AT, condition: 'if-absent' },
      { key: keyOfFile(), createdAt: CREATED_AT, condition: undefined },
      { key: objectKey('db', 'lock.json'), createdAt: undefined, condition: { version: 'v1' } },
    ]);
  });

  test('that is aborted before it begins, or comes after the end, asks for nothing', async () => {
    const { store, puts } = written();
    const destination = keyedDestination(store);
    const signal = AbortSignal.abort(reason);
    const body = bodyOf(bytesOf(9));
    const aborted = destination.replica('db').writeFile(ref(0, 1), body, { signal });
    await expect(aborted).rejects.toBe(reason);
    const abortedPut = destination.objects?.('db').put('lock.json', bytesOf(3), { signal });
    await expect(abortedPut).rejects.toBe(reason);
    await destination.close();
    const late = destination.replica('db').writeFile(ref(0, 1), body);
    await expect(late).rejects.toMatchObject({ code: 'REPLICA_CLOSED' });
    expect(puts).toEqual([]);
  });
});

describe('a delete', () => {
  const code = (of: ErrorCode, message = 'no'): Promise<never> =>
    Promise.reject(
      Object.assign(error(of), { message: `delete 3 files at ${NAME}/db: ${message}` }),
    );

  test('tries every file, and names those that may still be there', async () => {
    const tried: string[] = [];
    const store = storeWith({
      async delete(key) {
        tried.push(key);
        if (key === keyOfFile(FILES[0])) await code('REPLICA_NOT_FOUND');
        if (key === keyOfFile(FILES[1])) await code('REPLICA_PERMISSION_DENIED');
      },
    });
    const failure = await keyedDestination(store).replica('db').deleteFiles(FILES).catch(asError);
    expect(tried).toHaveLength(3);
    const file = 'level 0 0000000000000002-0000000000000002.ltx';
    expect(failure).toMatchObject({
      code: 'REPLICA_PERMISSION_DENIED',
      message: `delete 3 files at ${NAME}/db: 1 may still be there; ${file}: no`,
      failures: [{ file, code: 'REPLICA_PERMISSION_DENIED' }],
    });
  });

  test('of more than a request takes is several, and a file is named by its key', async () => {
    const sizes: number[] = [];
    const store = storeWith({
      batches: {
        keysMax: 2,
        async delete(keys) {
          sizes.push(keys.length);
          const [key = ''] = keys;
          return [{ key, code: 'REPLICA_FULL', message: 'Full' }];
        },
      },
    });
    const failure = await keyedDestination(store).replica('db').deleteFiles(FILES).catch(asError);
    expect(sizes).toEqual([2, 1]);
    expect(failure?.message).toMatch(/: 2 may still be there; level 0 0{15}1-0{15}1\.ltx: Full$/);
    expect(failure?.failures).toHaveLength(2);
  });

  test('whose request is refused has failed for each of its files', async () => {
    const delete_ = async (): Promise<never> => await code('REPLICA_RATE_LIMITED', 'slow down');
    const store = storeWith({ batches: { keysMax: 9, delete: delete_ } });
    const failure = await keyedDestination(store).replica('db').deleteFiles(FILES).catch(asError);
    expect(failure?.message).toMatch(/: 3 may still be there; slow down$/);
    expect(failure?.failures).toHaveLength(3);
  });

  test('goes one by one from when the server says that it knows no batches', async () => {
    const tried: string[] = [];
    let batches = 0;
    const store = storeWith({
      delete: async (key) => void tried.push(key),
      batches: {
        keysMax: 2,
        async delete() {
          batches += 1;
          return await code('REPLICA_UNSUPPORTED');
        },
      },
    });
    const destination = keyedDestination(store);
    await destination.replica('db').deleteFiles(FILES);
    await destination.replica('other').deleteFiles(FILES);
    expect(batches).toBe(1);
    expect(tried).toHaveLength(6);
  });

  test.each(['one by one', 'in a batch'])('%s that is aborted ends with that', async (how) => {
    const controller = new AbortController();
    const timeOut = error('REPLICA_UNAVAILABLE'); // a reason may be one of our errors
    const ended = async (): Promise<never> => {
      controller.abort(timeOut);
      return await Promise.reject(timeOut);
    };
    const batches = how === 'in a batch' ? { keysMax: 9, delete: ended } : undefined;
    const { signal } = controller;
    const destination = keyedDestination(storeWith({ delete: ended, batches }));
    const deleting = destination.replica('db').deleteFiles(FILES, { signal });
    await expect(deleting).rejects.toBe(timeOut);
  });

  test('shows a bug of the store as what it is', async () => {
    const bug = new TypeError('x is not a function');
    const store = storeWith({ delete: async () => await Promise.reject(bug) });
    await expect(keyedDestination(store).replica('db').deleteFiles(FILES)).rejects.toBe(bug);
  });

  test('has some on their way at once, and no more', async () => {
    let [now, most] = [0, 0];
    const store = storeWith({
      async delete() {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
      },
    });
    const files = Array.from({ length: 50 }, (_, index) => ref(0, index + 1));
    await keyedDestination(store).replica('db').deleteFiles(files);
    expect(most).toBe(8);
  });

  test('of a named object that is gone is a conflict only with a version', async () => {
    const store = storeWith({ delete: async () => await code('REPLICA_NOT_FOUND') });
    const objects = keyedDestination(store).objects?.('db');
    await expect(objects?.delete('lock.json')).resolves.toBeUndefined();
    const deleting = objects?.delete('lock.json', { version: 'v1' });
    await expect(deleting).rejects.toMatchObject({ code: 'REPLICA_CONFLICT' });
  });
});

test('a copy is claimed where the store can copy', async () => {
  const copy: KeyedStore['copy'] = async (from, to) => {
    expect([from, to]).toEqual([keyOfFile(ref(1, 1, 3)), keyOfFile(ref(2, 1, 3))]);
    return { sizeBytes: 5, modifiedAt: MODIFIED_AT };
  };
  const replica = keyedDestination(storeWith({ copy })).replica('db');
  const copied = await replica.copyFile?.(ref(1, 1, 3), ref(2, 1, 3));
  expect(copied).toEqual({ ...ref(2, 1, 3), sizeBytes: 5, modifiedAt: MODIFIED_AT });
  const other = keyedDestination(storeWith({})).replica('db');
  expect(other).toMatchObject({ copyFile: undefined });
});

test('close ends what is on its way, and lets go of the sockets once', async () => {
  const work = new Work(NAME);
  let closed = 0;
  const close = (): void => {
    expect(work.ended.aborted).toBe(true);
    closed += 1;
  };
  const destination = keyedDestination(storeWith({ work, close }));
  await Promise.all([destination.close(), destination.close()]);
  await destination.close();
  expect(closed).toBe(1);
});

function asError(thrown: unknown): (Error & { failures?: unknown }) | undefined {
  return isError(thrown) ? thrown : undefined;
}
