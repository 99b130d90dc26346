/** The marker of a root, by `node:fs`. */

import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { isError, MARKER_NAME, Root, type ConnectContext } from '@sluice/core/backend';

import { systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { writeBytesIfAbsent } from './write.ts';

export function rootAt(path: string, access: ConnectContext['access']): Root {
  const marker = join(path, MARKER_NAME);
  return new Root(path, access, {
    async readMarker(known) {
      try {
        const { dev, ino } = await lstat(marker, { bigint: true });
        const stamp = `${dev}-${ino}`;
        if (known?.stamp === stamp) return known;
        return { id: (await readFile(marker, 'latin1')).trim(), stamp };
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw error;
      }
    },
    async isThere() {
      try {
        await stat(path);
        return true;
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return false;
        throw error;
      }
    },
    async mark(text) {
      await makeFolder(path);
      await writeBytesIfAbsent(marker, Buffer.from(text));
    },
    describe: (error, what) => (isError(error) ? error : toReplicationError(error, what)),
  });
}
