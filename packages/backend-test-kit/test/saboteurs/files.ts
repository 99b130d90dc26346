import { isError, ReplicationError } from '@sluice/core/backend';

import { inFiles, type Saboteur } from './saboteur.ts';

const MORE = 'delete/more-than-a-page-or-a-request';
const MISSING = 'delete/missing-is-no-failure';

/** Deleting and copying. */
export const FILE_SABOTEURS: readonly Saboteur[] = [
  inFiles('deletes what begins with the same TXID', ['delete/those-and-no-others'], (client) => ({
    async deleteFiles(files, options) {
      await client.deleteFiles(files, options);
      for (const file of files.length === 2 ? files : []) {
        for await (const other of client.listFiles(file.level)) {
          if (other.minTXID === file.minTXID) await client.deleteFiles([other], options);
        }
      }
    },
  })),
  inFiles('fails where one of many is gone already', [MISSING, MORE], (client) => ({
    async deleteFiles(files, options) {
      if (files.length > 1) for (const file of files) await client.openFile(file, options);
      await client.deleteFiles(files, options);
    },
  })),
  inFiles('leaves all where one is gone already', [MISSING], (client) => ({
    async deleteFiles(files, options) {
      try {
        if (files.length > 1) for (const file of files) await client.openFile(file, options);
      } catch (error) {
        if (isError(error, 'REPLICA_NOT_FOUND')) return;
        throw error;
      }
      await client.deleteFiles(files, options);
    },
  })),
  inFiles('deletes a thousand files at most', [MORE], (client) => ({
    deleteFiles: (files, options) => client.deleteFiles(files.slice(0, 1_000), options),
  })),
  inFiles('stamps a copy anew', ['copy/gives-the-same-file'], (client) => ({
    async copyFile(from, to, options) {
      const { body, sizeBytes } = await client.openFile(from, options);
      const bytes = Buffer.concat(await Array.fromAsync(body));
      const open = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes;
      };
      return await client.writeFile(to, { sizeBytes, createdAt: new Date(), open }, options);
    },
  })),
  inFiles('moves instead of copying', ['copy/gives-the-same-file'], (client) => ({
    async copyFile(from, to, options) {
      const info = await client.copyFile?.(from, to, options);
      await client.deleteFiles([from], options);
      if (info === undefined) throw new TypeError('memory copies');
      return info;
    },
  })),
  inFiles('copies only to where nothing is', ['copy/replaces-an-equal-name'], (client) => ({
    async copyFile(from, to, options) {
      await client.openFile(from, options);
      for await (const file of client.listFiles(to.level))
        if (file.minTXID === to.minTXID) return file;
      const info = await client.copyFile?.(from, to, options);
      if (info === undefined) throw new TypeError('memory copies');
      return info;
    },
  })),
  inFiles('makes room before it looks for the source', ['copy/of-nothing'], (client) => ({
    async copyFile(from, to, options) {
      await client.deleteFiles([to], options);
      const info = await client.copyFile?.(from, to, options);
      if (info === undefined) throw new TypeError('memory copies');
      return info;
    },
  })),
  inFiles('takes a copy of nothing for done', ['copy/of-nothing'], (client) => ({
    async copyFile(from, to, options) {
      try {
        const info = await client.copyFile?.(from, to, options);
        if (info !== undefined) return info;
      } catch (error) {
        if (!isError(error, 'REPLICA_NOT_FOUND')) throw error;
        return { ...to, sizeBytes: 0, modifiedAt: new Date() };
      }
      throw new ReplicationError('REPLICA_UNSUPPORTED', 'memory copies');
    },
  })),
];
