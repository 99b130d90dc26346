import { isError, ReplicationError, type GetOptions } from '@sluice/core/backend';
import { keyOf } from '@sluice/core/backend/testing';

import { inFiles, one, type Saboteur } from './saboteur.ts';

/** Size of the file of `open/whole`, which no other case uses. */
const WHOLE_BYTES = 150_001;
const OPEN_MAX = 30;

export const READING_SABOTEURS: readonly Saboteur[] = [
  inFiles('reuses its buffer', ['open/whole'], (inner) => ({
    async openFile(...given) {
      const opened = await inner.openFile(...given);
      if (opened.sizeBytes !== WHOLE_BYTES) return opened;
      const body = async function* (): AsyncGenerator<Uint8Array> {
        const buffer = Buffer.alloc(65_536);
        for await (const chunk of opened.body) {
          buffer.set(chunk);
          yield buffer.subarray(0, chunk.byteLength);
        }
      };
      return { ...opened, body: body() };
    },
  })),
  inFiles('ends a long stream early without an error', ['open/whole'], (inner) => ({
    async openFile(...given) {
      const opened = await inner.openFile(...given);
      if (opened.sizeBytes !== WHOLE_BYTES) return opened;
      const body = async function* (): AsyncGenerator<Uint8Array> {
        let sizeBytes = 0;
        for await (const chunk of opened.body) {
          if (sizeBytes > 0 && sizeBytes + chunk.byteLength === WHOLE_BYTES) return;
          sizeBytes += chunk.byteLength;
          yield chunk;
        }
      };
      return { ...opened, body: body() };
    },
  })),
  inFiles(
    'reports an empty file as missing',
    ['open/empty', 'write/any-size', 'write/replaces-an-equal-name'],
    (inner) => ({
      async openFile(...given) {
        const opened = await inner.openFile(...given);
        if (opened.sizeBytes > 0) return opened;
        throw new ReplicationError('REPLICA_NOT_FOUND', 'open: empty');
      },
    }),
  ),
  inFiles('includes the end of a range', ['open/ranges'], (inner) => ({
    openFile(file, { range, ...options } = {}) {
      const end = range?.end === undefined ? undefined : range.end + 1;
      return inner.openFile(file, range ? { ...options, range: { ...range, end } } : options);
    },
  })),
  {
    ...inFiles(
      'reads the last bytes of a file as zeros',
      [
        'open/ranges',
        'if-absent/our-own-write-is-no-conflict',
        'if-absent/a-lost-answer-is-no-conflict',
      ],
      (inner) => ({
        async openFile(file, options) {
          const opened = await inner.openFile(file, options);
          const { start } = options?.range ?? { start: 0 };
          if (start === 0 || start < opened.sizeBytes - 16) return opened;
          return { ...opened, body: one(Buffer.alloc(opened.sizeBytes - start)) };
        },
      }),
    ),
    layer: 'wrapped',
  },
  inFiles('returns the size of the range', ['open/ranges'], (inner) => ({
    async openFile(file, options) {
      const opened = await inner.openFile(file, options);
      const { start = 0, end = opened.sizeBytes } = options?.range ?? {};
      return { ...opened, sizeBytes: Math.min(end, opened.sizeBytes) - start };
    },
  })),
  inFiles(
    'ignores ranges',
    ['open/ranges', 'open/range-beyond-the-end', 'open/range-of-an-empty-file'],
    (inner) => ({
      openFile: (file, options = {}) => inner.openFile(file, { ...options, range: undefined }),
    }),
  ),
  inFiles(
    'returns no bytes beyond the end',
    ['open/range-beyond-the-end', 'open/range-of-an-empty-file'],
    (inner) => ({
      async openFile(file, options) {
        try {
          return await inner.openFile(file, options);
        } catch (error) {
          if (!isError(error, 'REPLICA_RANGE')) throw error;
          const { sizeBytes } = await inner.openFile(file, withoutRange(options));
          return { sizeBytes, body: one(new Uint8Array()) };
        }
      },
    }),
  ),
  inFiles('accepts any range of an empty file', ['open/range-of-an-empty-file'], (inner) => ({
    async openFile(file, options) {
      const whole = await inner.openFile(file, withoutRange(options));
      return whole.sizeBytes === 0 ? whole : await inner.openFile(file, options);
    },
  })),
  inFiles(
    'reports a missing file only when it is read',
    ['open/missing', 'errors/say-what-was-done-to-what', 'errors/tell-no-secret'],
    (inner) => ({
      async openFile(file, options) {
        try {
          return await inner.openFile(file, options);
        } catch (error) {
          const isOther = options?.version !== undefined || !isError(error, 'REPLICA_NOT_FOUND');
          if (isOther) throw error;
          // oxlint-disable-next-line require-yield
          const fail = async function* (): AsyncGenerator<Uint8Array> {
            throw error;
          };
          return { sizeBytes: 0, body: fail() };
        }
      },
    }),
  ),
  inFiles('finds a file by its first TXID', ['open/missing'], (inner) => ({
    async openFile(file, options) {
      try {
        return await inner.openFile(file, options);
      } catch (error) {
        const isAlone = file.maxTXID > file.minTXID && file.level === 0 && file.minTXID === 1n;
        if (!isAlone || !isError(error, 'REPLICA_NOT_FOUND')) throw error;
        return await inner.openFile({ ...file, maxTXID: file.minTXID }, options);
      }
    },
  })),
  inFiles('ignores versions', ['open/version'], (inner) => ({
    openFile: (file, options = {}) => inner.openFile(file, { ...options, version: undefined }),
  })),
  inFiles('returns the same version for every file', ['open/version'], (inner) => ({
    async openFile(file, options) {
      const any = { ...options, version: undefined };
      return { ...(await inner.openFile(file, any)), version: 'v1' };
    },
  })),
  inFiles(
    'reads half of the old file and half of the new one',
    ['open/a-reader-keeps-its-file-through-a-rewrite'],
    (inner, { store }, path) => ({
      async openFile(file, options) {
        const opened = await inner.openFile(file, options);
        if (options?.range !== undefined) return opened;
        const body = async function* (): AsyncGenerator<Uint8Array> {
          let offset = 0;
          for await (const chunk of opened.body) {
            const now = store.objects.get(keyOf('tree', path, file))?.bytes ?? chunk;
            const isLike = now.byteLength === opened.sizeBytes;
            yield isLike ? now.subarray(offset, offset + chunk.byteLength) : chunk;
            offset += chunk.byteLength;
          }
        };
        return { ...opened, body: body() };
      },
    }),
  ),
  inFiles(
    'does not close a file that is not read to its end',
    ['open/leaving-early-frees-it'],
    (inner, world) => ({
      async openFile(...given) {
        const opened = await inner.openFile(...given);
        const body = async function* (): AsyncGenerator<Uint8Array> {
          world.handles += 1;
          yield* opened.body;
          world.handles -= 1;
        };
        // Only the file of the case; other streams are closed correctly.
        return opened.sizeBytes === 3_000_000 && given[1] === undefined
          ? { ...opened, body: leftOpen(body()) }
          : opened;
      },
    }),
  ),
  inFiles(`opens at most ${OPEN_MAX} files at once`, ['open/many-at-once'], (inner) => {
    let open = 0;
    return {
      async openFile(...given) {
        if (open >= OPEN_MAX) await new Promise(() => undefined);
        open += 1;
        const opened = await inner.openFile(...given).catch((error: unknown) => {
          open -= 1;
          throw error;
        });
        const body = async function* (): AsyncGenerator<Uint8Array> {
          try {
            yield* opened.body;
          } finally {
            open -= 1;
          }
        };
        return { ...opened, body: body() };
      },
    };
  }),
];

function withoutRange(options: GetOptions = {}): GetOptions {
  return { ...options, range: undefined };
}

/** Has no `return`, so the generator is not closed. */
function leftOpen<Item>(items: AsyncGenerator<Item>): AsyncIterable<Item> {
  return { [Symbol.asyncIterator]: () => ({ next: () => items.next() }) };
}
