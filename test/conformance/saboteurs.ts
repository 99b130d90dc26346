/** Destinations that break one promise each, and the case that must find it. */

import {
  ReplicationError,
  type LTXBody,
  type LTXFileInfo,
  type MemoryStore,
  type NamedObjects,
  type ReplicaClient,
} from '@sluice/core/backend';

interface Saboteur {
  readonly does: string;
  readonly guard: string;
  readonly sabotage: (client: ReplicaClient, store: MemoryStore) => Partial<ReplicaClient>;
}

interface ObjectSaboteur {
  readonly does: string;
  readonly guard: string;
  readonly sabotage: (objects: NamedObjects) => Partial<NamedObjects>;
}

export const SECRET = 'hunter2';

export const SABOTEURS: readonly Saboteur[] = [
  {
    does: 'lists backwards',
    guard: 'list/in-order',
    sabotage: (client) => ({
      async *listFiles(...given) {
        yield* (await Array.fromAsync(client.listFiles(...given))).toReversed();
      },
    }),
  },
  {
    does: 'lists one page only',
    guard: 'delete/more-than-a-page-or-a-request',
    sabotage: (client) => ({
      async *listFiles(...given) {
        yield* (await Array.fromAsync(client.listFiles(...given))).slice(0, 1_000);
      },
    }),
  },
  {
    does: 'begins a page with the last file of the one before',
    guard: 'list/what-changes-meanwhile',
    sabotage: (client) => ({
      async *listFiles(...given) {
        let last: LTXFileInfo | undefined;
        let count = 0;
        for await (const file of client.listFiles(...given)) {
          if (last !== undefined && count % 10 === 0) yield last;
          yield file;
          count += 1;
          last = file;
        }
      },
    }),
  },
  {
    does: 'tells the time of the file for the time of the upload',
    guard: 'list/sizes-and-times',
    sabotage: (client) => ({
      async *listFiles(...given) {
        for await (const file of client.listFiles(...given)) {
          yield { ...file, modifiedAt: file.createdAt ?? file.modifiedAt };
        }
      },
    }),
  },
  {
    does: 'keeps whole seconds',
    guard: 'list/sizes-and-times',
    sabotage: (client) => ({
      async *listFiles(...given) {
        for await (const file of client.listFiles(...given)) {
          const seconds = Math.floor((file.createdAt?.getTime() ?? 0) / 1000);
          yield { ...file, createdAt: new Date(seconds * 1000) };
        }
      },
    }),
  },
  {
    does: 'takes the end of a range for a part of it',
    guard: 'open/ranges',
    sabotage: (client) => ({
      openFile(file, { range, ...options } = {}) {
        const end = range?.end === undefined ? undefined : range.end + 1;
        return client.openFile(file, range ? { ...options, range: { ...range, end } } : options);
      },
    }),
  },
  {
    does: 'ignores ranges',
    guard: 'open/ranges',
    sabotage: (client) => ({
      openFile: (file, options = {}) => client.openFile(file, { ...options, range: undefined }),
    }),
  },
  {
    does: 'ignores versions',
    guard: 'open/version',
    sabotage: (client) => ({
      openFile: (file, options = {}) => client.openFile(file, { ...options, version: undefined }),
    }),
  },
  {
    does: 'finds out that a file is missing with its first byte',
    guard: 'open/missing',
    sabotage: (client) => ({
      async openFile(file, options) {
        try {
          return await client.openFile(file, options);
        } catch (error) {
          const fail = async function* (): AsyncGenerator<Uint8Array> {
            yield new Uint8Array();
            throw error;
          };
          return { sizeBytes: 0, body: fail() };
        }
      },
    }),
  },
  {
    does: 'uses its buffer again',
    guard: 'open/whole',
    sabotage: (client) => ({
      async openFile(...given) {
        const opened = await client.openFile(...given);
        const body = async function* (): AsyncGenerator<Uint8Array> {
          const buffer = Buffer.alloc(65_536);
          for await (const chunk of opened.body) {
            buffer.set(chunk);
            yield buffer.subarray(0, chunk.byteLength);
          }
        };
        return { ...opened, body: body() };
      },
    }),
  },
  {
    does: 'writes what it got when the source fails',
    guard: 'write/source-fails',
    sabotage: (client) => ({
      writeFile: (file, body, options) => client.writeFile(file, whatComes(body), options),
    }),
  },
  {
    does: 'takes a shorter source for the whole',
    guard: 'write/source-is-shorter-than-it-said',
    sabotage: (client) => ({
      async writeFile(file, body, options) {
        const bytes = Buffer.concat(await Array.fromAsync(body.open()));
        const sizeBytes = Math.min(bytes.byteLength, body.sizeBytes);
        const rest = { ...body, sizeBytes, open: () => one(bytes.subarray(0, sizeBytes)) };
        return await client.writeFile(file, rest, options);
      },
    }),
  },
  {
    does: 'empties the name before it writes',
    guard: 'abort/a-write-keeps-the-old',
    sabotage: (client) => ({
      async writeFile(file, body, options) {
        await client.deleteFiles([file], options);
        return await client.writeFile(file, body, options);
      },
    }),
  },
  {
    does: 'shows a file before it is whole',
    guard: 'write/not-seen-before-it-is-whole',
    sabotage: (client) => ({
      async writeFile(file, body, options) {
        if (options === undefined) {
          await client.writeFile(file, { ...body, sizeBytes: 1, open: () => one(Buffer.alloc(1)) });
        }
        return await client.writeFile(file, body, options);
      },
    }),
  },
  {
    does: 'ignores an abort',
    guard: 'abort/a-write-keeps-the-old',
    sabotage: (client) => ({
      writeFile: (file, body, options = {}) =>
        client.writeFile(file, body, { ...options, signal: undefined }),
    }),
  },
  {
    does: 'rejects with an abort of its own',
    guard: 'abort/before-touches-nothing',
    sabotage: (client) => ({
      async openFile(file, options) {
        if (options?.signal?.aborted === true) throw new DOMException('aborted', 'AbortError');
        return await client.openFile(file, options);
      },
    }),
  },
  {
    does: 'asks whether a name is free, and then writes',
    guard: 'if-absent/of-20-at-once-one-wins',
    sabotage: (client, store) => ({
      async writeFile(file, body, { condition, ...options } = {}) {
        const isThere = (await Array.fromAsync(client.listFiles(file.level))).some(
          (found) => found.minTXID === file.minTXID && found.maxTXID === file.maxTXID,
        );
        if (condition === 'if-absent' && isThere && store.exists) {
          throw new ReplicationError('REPLICA_CONFLICT', 'it is there');
        }
        return await client.writeFile(file, body, options);
      },
    }),
  },
  {
    does: 'replaces in spite of "if-absent"',
    guard: 'if-absent/an-equal-name-is-a-conflict',
    sabotage: (client) => ({
      writeFile: (file, body, options = {}) =>
        client.writeFile(file, body, { ...options, condition: 'none' }),
    }),
  },
  {
    does: 'fails where a file is gone already',
    guard: 'delete/missing-is-no-failure',
    sabotage: (client) => ({
      async deleteFiles(files, options) {
        for (const file of files) await client.openFile(file, options);
        await client.deleteFiles(files, options);
      },
    }),
  },
  {
    does: 'deletes a thousand at most',
    guard: 'delete/more-than-a-page-or-a-request',
    sabotage: (client) => ({
      deleteFiles: (files, options) => client.deleteFiles(files.slice(0, 1_000), options),
    }),
  },
  {
    does: 'takes a bucket that is gone for an empty one',
    guard: 'errors/a-vanished-root',
    sabotage: (client, store) => ({
      async *listFiles(...given) {
        if (store.exists) yield* client.listFiles(...given);
      },
    }),
  },
  {
    does: 'tells its key',
    guard: 'errors/tell-no-secret',
    sabotage: (client) => ({
      async openFile(file, options) {
        return await client.openFile(file, options).catch((error: unknown) => {
          throw Object.assign(error as Error, { config: { key: SECRET } });
        });
      },
    }),
  },
];

/** Named objects have promises of their own. */
export const OBJECT_SABOTEURS: readonly ObjectSaboteur[] = [
  {
    does: 'lists folders as one would walk them',
    guard: 'objects/listed-in-byte-order',
    sabotage: (objects) => ({
      async *list(...given) {
        const entries = await Array.fromAsync(objects.list(...given));
        const walked = (name: string): string => name.replaceAll('/', '\u0000');
        yield* entries.toSorted((a, b) => (walked(a.name) < walked(b.name) ? -1 : 1));
      },
    }),
  },
  {
    does: 'ignores conditions',
    guard: 'objects/if-absent',
    sabotage: (objects) => ({ put: (name, bytes) => objects.put(name, bytes) }),
  },
  {
    does: 'takes one condition for the other',
    guard: 'objects/if-version',
    sabotage: (objects) => ({
      put: (name, bytes, options) =>
        objects.put(name, bytes, typeof options?.condition === 'object' ? {} : options),
    }),
  },
  {
    does: 'gives every version the same name',
    guard: 'objects/each-put-is-another-version',
    sabotage: (objects) => ({
      async put(...given) {
        await objects.put(...given);
        return { version: 'v1' };
      },
    }),
  },
];

function whatComes(body: LTXBody): LTXBody {
  return {
    ...body,
    async *open() {
      let missing = body.sizeBytes;
      try {
        for await (const chunk of body.open()) {
          missing -= chunk.byteLength;
          yield chunk;
        }
      } catch {
        yield Buffer.alloc(missing);
      }
    },
  };
}

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
