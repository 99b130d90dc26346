/** The file system of this machine, as one simulated process sees it: it can be killed at any call. */

import { systemFiles, type FileSystem } from '../../../packages/core/src/file-system.ts';
import type { SimulatedProcess } from './process.ts';

export function realFilesOf(process: SimulatedProcess): FileSystem {
  const call = async <T>(name: string, at: string, work: () => Promise<T>): Promise<T> => {
    await process.enter(`${name} ${at}`);
    const result = await work();
    await process.unlessDead();
    return result;
  };
  return {
    async open(file) {
      const handle = await call('open', file, () => systemFiles.open(file));
      return {
        readFully: (into, at) => call('read', file, () => handle.readFully(into, at)),
        sizeBytes: () => handle.sizeBytes(),
        close: () => handle.close(),
      };
    },
    async create(file, access) {
      const handle = await call('create', file, () => systemFiles.create(file, access));
      return {
        append: (bytes) => call('append', file, () => handle.append(bytes)),
        sync: () => call('sync', file, () => handle.sync()),
        close: () => handle.close(),
      };
    },
    scratch: (file) => systemFiles.scratch(file),
    makeFolder: (folder) => call('makeFolder', folder, () => systemFiles.makeFolder(folder)),
    list: (folder) => call('list', folder, () => systemFiles.list(folder)),
    stat: (at) => call('stat', at, () => systemFiles.stat(at)),
    rename: (from, to) => call('rename', to, () => systemFiles.rename(from, to)),
    remove: (at) => call('remove', at, () => systemFiles.remove(at)),
    syncFolder: (folder) => call('syncFolder', folder, () => systemFiles.syncFolder(folder)),
    volume: (folder) => call('volume', folder, () => systemFiles.volume(folder)),
  };
}
