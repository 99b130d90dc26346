/** Emulation of unclaimed capabilities. */

import { describe, expect, test } from 'vitest';

import { isError, type ErrorCode } from '../../src/error.ts';
import type { Capabilities, ReplicaClient } from '../../src/store/client.ts';
import { complete } from '../../src/store/policy/complete.ts';
import { plain } from '../support/files-view.ts';
import { at, bodyOf, bytesOf, error, memory, readKey } from './fixtures.ts';

const KEYS = [at(0, 1), at(0, 2), at(0, 3)];

function claiming(capabilities: Capabilities, methods: Partial<ReplicaClient> = {}): ReplicaClient {
  return complete({ ...plain(memory({ capabilities }).client), ...methods });
}

test('ranges are extracted from reads of whole objects', async () => {
  const client = claiming({});
  await client.put('db/x', bodyOf(bytesOf(5_000)));
  for (const range of [{ start: 0 }, { start: 1_500, end: 4_100 }, { start: 4_999 }]) {
    expect(await readKey(client, 'db/x', { range })).toEqual(
      bytesOf(5_000).slice(range.start, range.end),
    );
  }
});

test('listings are sorted, and can be aborted between two objects', async () => {
  const infos = ['b', 'a', 'c'].map((key) => ({ key, sizeBytes: 1, modifiedAt: new Date(0) }));
  const client = claiming(
    {},
    {
      async *list() {
        yield* infos;
      },
    },
  );
  const keys = (await Array.fromAsync(client.list(''))).map(({ key }) => key);
  expect(keys).toEqual(['a', 'b', 'c']);
  const controller = new AbortController();
  const reason = new Error('not wanted');
  const read = async (): Promise<void> => {
    for await (const _ of client.list('', { signal: controller.signal })) controller.abort(reason);
  };
  await expect(read()).rejects.toBe(reason);
});

describe('a delete', () => {
  const fail = async (code: ErrorCode): Promise<never> => await Promise.reject(error(code));

  test('tries every key, and names those that may still exist', async () => {
    const tried: string[] = [];
    const client = claiming(
      {},
      {
        async delete(keys) {
          tried.push(...keys);
          if (keys.includes(KEYS[1] ?? '')) await fail('REPLICA_PERMISSION_DENIED');
        },
      },
    );
    const failure: unknown = await client.delete(KEYS).catch((thrown: unknown) => thrown);
    expect(tried.toSorted()).toEqual(KEYS);
    expect(isError(failure, 'REPLICA_PERMISSION_DENIED') && failure.failures).toMatchObject([
      { file: KEYS[1], code: 'REPLICA_PERMISSION_DENIED' },
    ]);
    expect(String(failure)).toContain(
      `delete 3 objects at memory://: 1 may still be there; ${KEYS[1]}: a fault of the test`,
    );
  });

  test('of more keys than the limit is split into several calls', async () => {
    const sizes: number[] = [];
    const client = claiming(
      { deleteMax: 2 },
      {
        async delete(keys) {
          sizes.push(keys.length);
          await fail('REPLICA_RATE_LIMITED');
        },
      },
    );
    const failure: unknown = await client.delete(KEYS).catch((thrown: unknown) => thrown);
    expect(sizes).toEqual([2, 1]);
    // A refused call has failed for all of its keys.
    expect(isError(failure) && failure.failures?.map(({ file }) => file)).toEqual(KEYS);
  });

  test('without keys sends nothing', async () => {
    const client = claiming({}, { delete: async () => await fail('REPLICA_UNKNOWN') });
    await client.delete([]);
    const reason = new Error('not wanted');
    const signal = AbortSignal.abort(reason);
    await expect(client.delete([], { signal })).rejects.toBe(reason);
  });

  test('that is aborted rejects with the reason, which may be a ReplicationError', async () => {
    const controller = new AbortController();
    const timeOut = error('REPLICA_UNAVAILABLE');
    const client = claiming(
      {},
      {
        async delete() {
          controller.abort(timeOut);
          throw timeOut;
        },
      },
    );
    const deleting = client.delete(KEYS, { signal: controller.signal });
    await expect(deleting).rejects.toBe(timeOut);
  });

  test('does not hide a bug of the client', async () => {
    const bug = new TypeError('x is not a function');
    const client = claiming({}, { delete: async () => await Promise.reject(bug) });
    await expect(client.delete(KEYS)).rejects.toBe(bug);
  });

  test('runs at most eight calls concurrently', async () => {
    let atOnce = 0;
    let most = 0;
    const client = claiming(
      {},
      {
        async delete() {
          atOnce += 1;
          most = Math.max(most, atOnce);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          atOnce -= 1;
        },
      },
    );
    await client.delete(Array.from({ length: 30 }, (_, index) => at(0, index + 1)));
    expect(most).toBe(8);
  });
});
