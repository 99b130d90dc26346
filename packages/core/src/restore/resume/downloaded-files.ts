/** A downloaded file as a file of a source on this machine. */

import fs from 'node:fs/promises';
import { ReplicationError } from '../../error.ts';
import { isMissing } from '../../file-system.ts';
import type { ReplicaFiles } from '../../replica/replica.ts';
import type { ByteRange } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { SourcedFile } from '../plan/sources.ts';

/** The same file, with the name of its source; its bytes are read from `path`. */
export function toDownloadedFile(file: SourcedFile, path: string): SourcedFile {
  const { name, client: remote } = file.source;
  const find = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      if (!isMissing(error)) throw error;
      const message = `open ${path}, the download of ${describeFile(file)}: it is missing; restore again`;
      throw new ReplicationError('REPLICA_NOT_FOUND', message, { cause: error });
    }
  };
  const client: ReplicaFiles = {
    listFiles: remote.listFiles.bind(remote),
    writeFile: remote.writeFile.bind(remote),
    deleteFiles: remote.deleteFiles.bind(remote),
    async openFile(_, { range } = {}) {
      const { size } = await find(() => fs.stat(path));
      return { sizeBytes: size, body: readRange(path, range) };
    },
    async openLocalFile() {
      const handle = await find(() => fs.open(path, 'r'));
      const { size } = await handle.stat();
      return { sizeBytes: size, descriptor: handle.fd, close: () => handle.close() };
    },
  };
  return { ...file, source: { name, client, capabilities: { ranges: true } } };
}

async function* readRange(
  path: string,
  range: ByteRange | undefined,
): AsyncGenerator<Uint8Array, void> {
  const handle = await fs.open(path, 'r');
  try {
    const end = range?.end === undefined ? {} : { end: range.end - 1 };
    const start = range?.start ?? 0;
    for await (const chunk of handle.createReadStream({ start, ...end, autoClose: false })) {
      yield chunk as Uint8Array;
    }
  } finally {
    await handle.close();
  }
}
