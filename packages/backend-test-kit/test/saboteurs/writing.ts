import { isError, ReplicationError } from '@sluice/core/backend';
import { keyOf, type LTXFileRef } from '@sluice/core/backend/testing';

import { changeFiles } from '../world.ts';
import { inFiles, through, type Saboteur } from './saboteur.ts';

const PART_BYTES = 100_000;
const OF_20 = 'if-absent/of-20-at-once-one-wins';
const CONFLICT = 'if-absent/an-equal-name-is-a-conflict';
const PARTS = 'if-absent/beyond-parts';
const OUR_OWN = 'if-absent/our-own-write-is-no-conflict';

export const WRITING_SABOTEURS: readonly Saboteur[] = [
  inFiles(
    'loses a last part of one byte',
    ['write/any-size', 'write/replaces-an-equal-name', PARTS],
    (inner) => ({
      writeFile: (file, body, options) =>
        inner.writeFile(
          file,
          through(body, async function* (chunks) {
            let offset = 0;
            for await (const chunk of chunks) {
              offset += chunk.byteLength;
              const isLast = offset === body.sizeBytes && offset > PART_BYTES;
              if (!isLast || offset % PART_BYTES !== 1) yield chunk;
              else yield Buffer.concat([chunk.subarray(0, -1), Buffer.alloc(1)]);
            }
          }),
          options,
        ),
    }),
  ),
  inFiles('aligns chunks to 4 bytes', ['write/any-chunks'], (inner) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(
        file,
        through(body, async function* (chunks) {
          const bytes: Uint8Array[] = [];
          for await (const chunk of chunks) {
            const rest = chunk.byteLength % 4;
            if (chunk.byteLength < 20 && body.sizeBytes > 10_000) bytes.push(Buffer.alloc(rest));
            else yield chunk;
            if (bytes.length > 0) bytes.push(chunk);
          }
          if (bytes.length > 0) yield Buffer.concat(bytes).subarray(0, body.sizeBytes);
        }),
        options,
      ),
  })),
  inFiles(
    'counts the size of headers too',
    ['write/any-size', 'write/says-what-is-there', CONFLICT],
    (inner) => ({
      async writeFile(...given) {
        const info = await inner.writeFile(...given);
        return { ...info, sizeBytes: info.sizeBytes + 100 };
      },
    }),
  ),
  inFiles(
    'does not truncate a longer old file',
    ['write/replaces-an-equal-name'],
    (inner, { store }, path) => ({
      async writeFile(file, body, options) {
        const key = keyOf('tree', path, file);
        const old = store.objects.get(key)?.bytes ?? new Uint8Array();
        const info = await inner.writeFile(file, body, options);
        const now = store.objects.get(key)?.bytes ?? new Uint8Array();
        if (now.byteLength >= old.byteLength) return info;
        const bytes = Buffer.concat([now, old.subarray(now.byteLength)]);
        store.put(key, bytes, { modifiedAt: new Date(), createdAt: body.createdAt });
        return info;
      },
    }),
  ),
  {
    does: 'shows readers the files from when they connected',
    group: [
      'write/seen-by-another-connection',
      'write/not-seen-before-it-is-whole',
      'concurrency/readers-disturb-no-writer',
    ],
    change(client, world, access) {
      if (access === 'write') return client;
      const known = new Set(world.store.objects.keys());
      const isKnown = (path: string, file: LTXFileRef): boolean =>
        known.has(keyOf('tree', path, file));
      return changeFiles(client, (inner, path) => ({
        async *listFiles(...given) {
          for await (const file of inner.listFiles(...given)) {
            if (isKnown(path, file)) yield file;
          }
        },
        async openFile(file, options) {
          if (isKnown(path, file)) return await inner.openFile(file, options);
          throw new ReplicationError('REPLICA_NOT_FOUND', 'open: not in the cache');
        },
      }));
    },
  },
  inFiles(
    'shows a file before it is complete',
    [
      'write/not-seen-before-it-is-whole',
      'concurrency/readers-disturb-no-writer',
      'concurrency/of-equal-names-one-is-whole',
    ],
    (inner, { store }, path) => ({
      async writeFile(file, body, options) {
        if (options?.condition === 'if-absent' || options?.signal?.aborted === true) {
          return await inner.writeFile(file, body, options);
        }
        const key = keyOf('tree', path, file);
        const old = store.objects.get(key);
        if ((old?.bytes.byteLength ?? 0) > 1_000_000) {
          return await inner.writeFile(file, body, options);
        }
        store.put(key, Buffer.alloc(1), { modifiedAt: new Date() });
        try {
          return await inner.writeFile(file, body, options);
        } catch (error) {
          if (old === undefined) store.objects.delete(key);
          else store.objects.set(key, old);
          throw error;
        }
      },
    }),
  ),
  inFiles('stores a part when the source fails', ['write/source-fails'], (inner) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(
        file,
        through(body, async function* (chunks) {
          let missing = body.sizeBytes;
          try {
            for await (const chunk of chunks) {
              missing -= chunk.byteLength;
              yield chunk;
            }
          } catch {
            yield Buffer.alloc(missing);
          }
        }),
        options,
      ),
  })),
  inFiles('pads a source that is too short', ['write/source-is-shorter-than-it-said'], (inner) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(
        file,
        through(body, async function* (chunks) {
          let missing = body.sizeBytes;
          for await (const chunk of chunks) {
            missing -= chunk.byteLength;
            yield chunk;
          }
          if (missing > 0) yield Buffer.alloc(missing);
        }),
        options,
      ),
  })),
  inFiles(
    'truncates a source that is too long',
    ['write/source-is-longer-than-it-said'],
    (inner) => ({
      writeFile: (file, body, options) =>
        inner.writeFile(
          file,
          through(body, async function* (chunks) {
            let missing = body.sizeBytes;
            for await (const chunk of chunks) {
              yield chunk.subarray(0, missing);
              missing -= Math.min(missing, chunk.byteLength);
            }
          }),
          options,
        ),
    }),
  ),
  inFiles(
    'ignores "if-absent" for bodies sent in one request',
    [CONFLICT, OF_20, OUR_OWN],
    (inner) => ({
      writeFile: (file, body, options = {}) =>
        inner.writeFile(file, body, {
          ...options,
          condition: body.sizeBytes > PART_BYTES ? options.condition : undefined,
        }),
    }),
  ),
  inFiles('ignores "if-absent" for bodies sent in parts', [PARTS], (inner) => ({
    writeFile: (file, body, options = {}) =>
      inner.writeFile(file, body, {
        ...options,
        condition: body.sizeBytes > PART_BYTES ? undefined : options.condition,
      }),
  })),
  inFiles(
    'reports a conflict for a deleted file',
    ['if-absent/a-deleted-name-is-free'],
    (inner) => {
      const taken = new Set<string>();
      return {
        async writeFile(file, body, options) {
          const name = `${file.level}/${file.minTXID}`;
          if (options?.condition === 'if-absent' && taken.has(name)) {
            throw new ReplicationError('REPLICA_CONFLICT', 'write: the file existed');
          }
          const info = await inner.writeFile(file, body, options);
          taken.add(name);
          return info;
        },
      };
    },
  ),
  inFiles(
    'checks if-absent before the write, not atomically',
    [OF_20],
    (inner, { store }, path) => ({
      async writeFile(file, body, { condition, ...options } = {}) {
        if (condition === 'if-absent' && store.objects.has(keyOf('tree', path, file))) {
          throw new ReplicationError('REPLICA_CONFLICT', 'write: the file exists');
        }
        return await inner.writeFile(file, body, options);
      },
    }),
  ),
  inFiles(
    'reports success for a conflict with equal bytes',
    [OUR_OWN],
    (inner, { store }, path) => ({
      async writeFile(file, body, options) {
        try {
          return await inner.writeFile(file, body, options);
        } catch (error) {
          if (!isError(error, 'REPLICA_CONFLICT')) throw error;
          const there = store.objects.get(keyOf('tree', path, file));
          const ours = Buffer.concat(await Array.fromAsync(body.open()));
          if (there === undefined || Buffer.compare(ours, there.bytes) !== 0) throw error;
          return { ...file, sizeBytes: ours.byteLength, modifiedAt: there.modifiedAt };
        }
      },
    }),
  ),
  inFiles('overwrites a first chunk of one byte', ['write/any-chunks'], (inner) => ({
    writeFile: (file, body, options) =>
      inner.writeFile(
        file,
        through(body, async function* (chunks) {
          let isFirst = true;
          for await (const chunk of chunks) {
            if (isFirst && chunk.byteLength === 1 && body.sizeBytes > 1) yield Buffer.alloc(1);
            else yield chunk;
            isFirst = false;
          }
        }),
        options,
      ),
  })),
];
