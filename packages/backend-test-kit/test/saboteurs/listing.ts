import { keyOf, toTXID, type LTXFileInfo } from '@sluice/core/backend/testing';
import type { CallOptions } from '@sluice/core/backend';

import { filesOf, changeFiles } from '../world.ts';
import { inFiles, type Saboteur } from './saboteur.ts';

const MORE = 'delete/more-than-a-page-or-a-request';
const PAGE = 10;
/** Longer listings are not paged, because listing all files for each page would take too long. */
const PAGED_MAX = 200;

export const LISTING_SABOTEURS: readonly Saboteur[] = [
  inFiles('fails to list an unused level', ['list/never-written-is-empty'], (inner) => ({
    async *listFiles(level, options) {
      let count = 0;
      for await (const file of inner.listFiles(level, options)) {
        yield file;
        count += 1;
      }
      if (level === 3 && count === 0) throw new Error('ENOENT');
    },
  })),
  inFiles('lists level 1 backwards', ['list/in-order'], (inner) => ({
    async *listFiles(level, options) {
      const files = await Array.fromAsync(inner.listFiles(level, options));
      yield* abortable(options, level === 1 && files.length > 3 ? files.toReversed() : files);
    },
  })),
  inFiles('sorts by maxTXID first', ['list/in-order', 'list/all-levels'], (inner) => ({
    async *listFiles(level, options) {
      const files = await Array.fromAsync(inner.listFiles(level, options));
      const sorted = files.toSorted((a, b) => a.level - b.level || Number(a.maxTXID - b.maxTXID));
      yield* abortable(options, sorted);
    },
  })),
  inFiles(
    'starts after the requested TXID',
    ['list/from-a-txid', 'list/every-txid', MORE],
    (inner) => ({
      async *listFiles(level, options) {
        for await (const file of inner.listFiles(level, options)) {
          if (options?.from === undefined || file.minTXID > options.from) yield file;
        }
      },
    }),
  ),
  inFiles(
    'omits snapshots from a listing of all levels',
    ['list/all-levels', 'delete/those-and-no-others', 'objects/beside-files'],
    (inner) => ({
      async *listFiles(level, options) {
        for await (const file of inner.listFiles(level, options)) {
          if (level !== 'all' || file.level !== 9) yield file;
        }
      },
    }),
  ),
  inFiles('reads TXIDs as floating-point numbers', ['list/every-txid'], (inner) => ({
    async *listFiles(level, options) {
      for await (const file of inner.listFiles(level, options)) {
        const inexact = BigInt(Number(file.minTXID));
        yield { ...file, minTXID: inexact < 2n ** 64n ? toTXID(inexact) : file.minTXID };
      }
    },
  })),
  inFiles(
    'lists createdAt as the upload time',
    ['list/sizes-and-times', 'write/says-what-is-there'],
    (inner) => ({
      async *listFiles(...given) {
        for await (const file of inner.listFiles(...given)) {
          yield { ...file, modifiedAt: file.createdAt ?? file.modifiedAt };
        }
      },
    }),
  ),
  inFiles('stores whole seconds', ['list/sizes-and-times'], (inner) => ({
    async *listFiles(...given) {
      for await (const file of inner.listFiles(...given)) {
        const seconds = Math.floor((file.createdAt?.getTime() ?? 0) / 1000);
        yield { ...file, createdAt: new Date(seconds * 1000) };
      }
    },
  })),
  inFiles('rounds sizes up to a multiple of four', ['list/sizes-and-times'], (inner) => ({
    async *listFiles(level, options) {
      for await (const file of inner.listFiles(level, options)) {
        const isSmall = file.sizeBytes < 1_000 || file.sizeBytes > 2_000;
        yield isSmall ? file : { ...file, sizeBytes: Math.ceil(file.sizeBytes / 4) * 4 };
      }
    },
  })),
  {
    does: 'includes the files of a nested replica',
    group: ['list/neighbors-are-not-ours'],
    change: (client) =>
      changeFiles(client, (inner, path) => ({
        async *listFiles(level, options) {
          yield* inner.listFiles(level, options);
          yield* filesOf(client, `${path}/below`).listFiles(level, options);
        },
      })),
  },
  inFiles(
    'lists temporary files',
    ['list/foreign-objects-are-left-out'],
    (inner, { store }, path) => ({
      async *listFiles(level, options) {
        yield* inner.listFiles(level, options);
        const file = { level: 0, minTXID: toTXID(2), maxTXID: toTXID(2) };
        if (!store.objects.has(`${keyOf('tree', path, file)}.tmp`)) return;
        yield { ...file, sizeBytes: 9, modifiedAt: new Date() };
      },
    }),
  ),
  {
    does: 'stores files in a subfolder',
    group: [
      'list/keys-lie-where-the-layout-says',
      'objects/beside-files',
      'errors/say-what-was-done-to-what',
    ],
    change: (client) => changeFiles(client, (_, path) => filesOf(client, `${path}/data`)),
  },
  inFiles(
    'starts a page with the last file of the previous page',
    ['list/what-changes-meanwhile', 'list/all-levels', MORE],
    (inner) => ({
      async *listFiles(...given) {
        let last: LTXFileInfo | undefined;
        let count = 0;
        for await (const file of inner.listFiles(...given)) {
          if (last !== undefined && count % PAGE === 0) yield last;
          yield file;
          count += 1;
          last = file;
        }
      },
    }),
  ),
  inFiles('pages by offset', ['list/what-changes-meanwhile'], (inner) => ({
    async *listFiles(...given) {
      for (let offset = 0; ; offset += PAGE) {
        const files = await Array.fromAsync(inner.listFiles(...given));
        if (files.length > PAGED_MAX) return yield* files;
        yield* abortable(given[1], files.slice(offset, offset + PAGE));
        if (offset + PAGE >= files.length) return;
      }
    },
  })),
  inFiles('lists at most 1,000 files', [MORE], (inner) => ({
    async *listFiles(...given) {
      const files = await Array.fromAsync(inner.listFiles(...given));
      yield* abortable(given[1], files.slice(0, 1_000));
    },
  })),
  inFiles('keeps a stopped listing open', ['list/leaving-early-frees-it'], (inner, world) => ({
    async *listFiles(...given) {
      world.handles += 1;
      yield* inner.listFiles(...given);
      world.handles -= 1;
    },
  })),
];

/** Checks the signal between files, which is another promise. */
function* abortable(
  options: CallOptions | undefined,
  files: readonly LTXFileInfo[],
): Generator<LTXFileInfo> {
  for (const file of files) {
    options?.signal?.throwIfAborted();
    yield file;
  }
}
