import { isError, ReplicationError } from '@sluice/core/backend';

import { inFiles, type Saboteur } from './saboteur.ts';

const MORE = 'delete/more-than-a-page-or-a-request';
const MISSING = 'delete/missing-is-no-failure';

/** Backends that delete or copy incorrectly. */
export const FILE_SABOTEURS: readonly Saboteur[] = [
  inFiles('deletes all files with the same minTXID', ['delete/those-and-no-others'], (inner) => ({
    async deleteFiles(files, options) {
      await inner.deleteFiles(files, options);
      for (const file of files.length === 2 ? files : []) {
        for await (const other of inner.listFiles(file.level)) {
          if (other.minTXID === file.minTXID) await inner.deleteFiles([other], options);
        }
      }
    },
  })),
  inFiles('fails to delete several files if one is missing', [MISSING, MORE], (inner) => ({
    async deleteFiles(files, options) {
      if (files.length > 1) for (const file of files) await inner.openFile(file, options);
      await inner.deleteFiles(files, options);
    },
  })),
  inFiles('deletes nothing if one file is missing', [MISSING], (inner) => ({
    async deleteFiles(files, options) {
      try {
        if (files.length > 1) for (const file of files) await inner.openFile(file, options);
      } catch (error) {
        if (isError(error, 'REPLICA_NOT_FOUND')) return;
        throw error;
      }
      await inner.deleteFiles(files, options);
    },
  })),
  inFiles('deletes at most 900 files', [MORE], (inner) => ({
    deleteFiles: (files, options) => inner.deleteFiles(files.slice(0, 900), options),
  })),
  inFiles('sets a new createdAt on a copy', ['copy/gives-the-same-file'], (inner) => ({
    async copyFile(from, to, options) {
      const { body, sizeBytes } = await inner.openFile(from, options);
      const bytes = Buffer.concat(await Array.fromAsync(body));
      const open = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes;
      };
      return await inner.writeFile(to, { sizeBytes, createdAt: new Date(), open }, options);
    },
  })),
  inFiles('moves instead of copying', ['copy/gives-the-same-file'], (inner) => ({
    async copyFile(from, to, options) {
      const info = await inner.copyFile?.(from, to, options);
      await inner.deleteFiles([from], options);
      if (info === undefined) throw new TypeError('the memory client can copy');
      return info;
    },
  })),
  inFiles('does not replace a file by a copy', ['copy/replaces-an-equal-name'], (inner) => ({
    async copyFile(from, to, options) {
      await inner.openFile(from, options);
      for await (const file of inner.listFiles(to.level))
        if (file.minTXID === to.minTXID) return file;
      const info = await inner.copyFile?.(from, to, options);
      if (info === undefined) throw new TypeError('the memory client can copy');
      return info;
    },
  })),
  inFiles('deletes the target before it opens the source', ['copy/of-nothing'], (inner) => ({
    async copyFile(from, to, options) {
      await inner.deleteFiles([to], options);
      const info = await inner.copyFile?.(from, to, options);
      if (info === undefined) throw new TypeError('the memory client can copy');
      return info;
    },
  })),
  inFiles('reports success for a copy of a missing file', ['copy/of-nothing'], (inner) => ({
    async copyFile(from, to, options) {
      try {
        const info = await inner.copyFile?.(from, to, options);
        if (info !== undefined) return info;
      } catch (error) {
        if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
        return { ...to, sizeBytes: 0, modifiedAt: new Date() };
      }
      throw new ReplicationError('REPLICA_UNSUPPORTED', 'the memory client can copy');
    },
  })),
];
