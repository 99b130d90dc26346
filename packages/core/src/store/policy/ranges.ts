/**
 * Ranges for a backend that does not claim them: the whole object is read, and what was not asked
 * for is dropped. Innermost of the wrappers, so that resuming a stream works there too.
 */

import type { Capabilities } from '../backend.ts';
import type { ByteRange, NamedObjects, ReplicaClient } from '../client.ts';
import { endOf, type Stream } from './stream.ts';
import { wrapCopy } from './wrap-copy.ts';
import { wrapLocal } from './wrap-local.ts';

export function withRanges(client: ReplicaClient, capabilities: Capabilities): ReplicaClient {
  if (capabilities.ranges === true) return client;
  return {
    listFiles: (level, options) => client.listFiles(level, options),
    async openFile(file, { range, ...options } = {}) {
      return cut(await client.openFile(file, options), range);
    },
    writeFile: (file, body, options) => client.writeFile(file, body, options),
    deleteFiles: (files, options) => client.deleteFiles(files, options),
    ...wrapLocal(client, (open) => open),
    ...wrapCopy(client, (copy) => copy),
  };
}

export function withObjectRanges(objects: NamedObjects, capabilities: Capabilities): NamedObjects {
  if (capabilities.ranges === true) return objects;
  return {
    put: (name, bytes, options) => objects.put(name, bytes, options),
    async get(name, { range, ...options } = {}) {
      return cut(await objects.get(name, options), range);
    },
    list: (prefix, options) => objects.list(prefix, options),
    delete: (name, options) => objects.delete(name, options),
  };
}

function cut<S extends Stream>(stream: S, range: ByteRange | undefined): S {
  if (range === undefined) return stream;
  return { ...stream, body: slice(stream.body, range.start, endOf(range, stream.sizeBytes)) };
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
