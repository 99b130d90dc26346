/**
 * Emulates capabilities that a client does not claim: reads whole objects and extracts ranges, sorts
 * listings, deletes one key at a time. The innermost wrapper, so that resuming a stream works too.
 */

import type { ByteRange, ListOptions, ObjectInfo, OpenedObject, ReplicaClient } from '../client.ts';
import { deleteEach, withFailures, deleteError } from '../delete-each.ts';
import { compareKeys } from '../layout.ts';
import { describeCall, forward } from './forward.ts';
import { endOf } from './stream.ts';

/** Half of the concurrent calls of a client: new files are more urgent than deletes. */
const DELETES_AT_ONCE = 8;

/** Adds what a backend may leave out: ranges, sorted listings, deletes of many keys. */
export function complete(client: ReplicaClient): ReplicaClient {
  const { capabilities, name } = client;
  const { ranges, sortedLists, deleteMax = 1 } = capabilities;
  return {
    ...forward(client),
    // `ranges` stays unclaimed: callers that plan reads must see that a range costs the whole object.
    capabilities: { ...capabilities, sortedLists: true },
    ...(ranges !== true && {
      async get(key, { range, ...options } = {}) {
        return extractRange(await client.get(key, options), range);
      },
    }),
    ...(sortedLists !== true && { list: (prefix, options) => sorted(client, prefix, options) }),
    async delete(keys, options) {
      if (keys.length === 0) return options?.signal?.throwIfAborted();
      if (keys.length <= deleteMax) {
        return await client.delete(keys, options).catch((error: unknown) => {
          throw options?.signal?.aborted === true ? error : withFailures(error, keys);
        });
      }
      const what = describeCall.delete(name, keys);
      const parts = chunksOf(keys, deleteMax);
      const failures = await deleteEach(parts, DELETES_AT_ONCE, options?.signal, async (part) => {
        options?.mayBegin?.();
        await client.delete(part, options);
      });
      if (failures.length > 0) throw deleteError(what, failures);
    },
  };
}

function extractRange(opened: OpenedObject, range: ByteRange | undefined): OpenedObject {
  if (range === undefined) return opened;
  return { ...opened, body: slice(opened.body, range.start, endOf(range, opened.sizeBytes)) };
}

async function* slice(
  body: AsyncIterable<Uint8Array>,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = 0;
  for await (const chunk of body) {
    const from = Math.max(start - offset, 0);
    const to = Math.min(end - offset, chunk.byteLength);
    if (from < to) yield chunk.subarray(from, to);
    offset += chunk.byteLength;
    if (offset >= end) return;
  }
}

async function* sorted(
  client: ReplicaClient,
  prefix: string,
  options: ListOptions | undefined,
): AsyncGenerator<ObjectInfo, void, undefined> {
  const objects = await Array.fromAsync(client.list(prefix, options));
  for (const object of objects.sort((a, b) => compareKeys(a.key, b.key))) {
    options?.signal?.throwIfAborted();
    yield object;
  }
}

function chunksOf(keys: readonly string[], size: number): string[][] {
  const count = Math.ceil(keys.length / size);
  return Array.from({ length: count }, (_, index) => keys.slice(index * size, (index + 1) * size));
}
