/**
 * The folder of one replica, and the marker in it. A disk that is not mounted looks like an empty
 * folder, or like none: so the first write leaves `.sluice-root` with a random id, and from then on
 * a root without it, or with another one's, is REPLICA_DESTINATION_NOT_FOUND, and nothing is made.
 *
 *  root is      marker   known before   reading with access 'read'   anything with access 'write'
 *  missing      -        no             DESTINATION_NOT_FOUND        empty; made by the first write
 *  there        none     no             as it is (Litestream's)      as it is; marked by the first write
 *  there        any      no             known from now on            known from now on
 *  any          none     yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 *  there        same     yes            as it is                     as it is
 *  there        another  yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 */

import { randomUUID } from 'node:crypto';
import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { ReplicationError, type ConnectContext } from '@sluice/core/backend';

import { systemCode, toReplicationError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { writeBytesIfAbsent } from './write.ts';

/** Ignored by Litestream, which looks into `ltx/` only. */
export const MARKER_NAME = '.sluice-root';

/** The marker that was seen: its id, and the inode that had it, which is cheaper to compare. */
interface Marker {
  readonly id: string;
  readonly inode: string;
}

export class Root {
  readonly path: string;
  readonly #access: ConnectContext['access'];
  #marker: Marker | undefined;
  #marking: Promise<void> | undefined;

  constructor(path: string, access: ConnectContext['access']) {
    this.path = path;
    this.#access = access;
  }

  /** A marker that was never seen here may be that of somebody who has just begun. */
  get marker(): 'seen' | 'not seen' {
    return this.#marker === undefined ? 'not seen' : 'seen';
  }

  /** Whether there is a root to look into. Throws when there ought to be one. */
  async look(what: string): Promise<'there' | 'not-yet'> {
    const found = await this.#findMarker(what);
    if (found !== undefined) return 'there';
    if (this.#marker !== undefined) throw this.#gone(what, 'its marker is not there any more');
    try {
      await stat(this.path);
      return 'there';
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw toReplicationError(error, what);
      if (this.#access === 'read') throw this.#gone(what, 'there is no such folder');
      return 'not-yet';
    }
  }

  /** Makes sure that the root is there, is the one we know, and bears a marker. */
  async prepare(what: string): Promise<void> {
    if (this.#access === 'read') {
      const message = `${what}: the destination was opened for reading`;
      throw new ReplicationError('REPLICA_PERMISSION_DENIED', message);
    }
    if ((await this.#findMarker(what)) !== undefined) return;
    if (this.#marker !== undefined) throw this.#gone(what, 'its marker is not there any more');
    this.#marking ??= this.#mark(what).finally(() => {
      this.#marking = undefined;
    });
    await this.#marking;
  }

  async #mark(what: string): Promise<void> {
    try {
      await makeFolder(this.path);
      // Of two processes that begin at once, one marks, and both read its id.
      await writeBytesIfAbsent(this.#markerPath, Buffer.from(`${randomUUID()}\n`));
    } catch (error) {
      throw toReplicationError(error, what);
    }
    await this.#findMarker(what);
  }

  async #findMarker(what: string): Promise<Marker | undefined> {
    try {
      const { dev, ino } = await lstat(this.#markerPath, { bigint: true });
      const inode = `${dev}-${ino}`;
      if (this.#marker?.inode === inode) return this.#marker;
      const id = (await readFile(this.#markerPath, 'latin1')).trim();
      if (this.#marker !== undefined && this.#marker.id !== id) {
        throw this.#gone(what, 'another replica lies there now');
      }
      this.#marker = { id, inode };
      return this.#marker;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error instanceof ReplicationError ? error : toReplicationError(error, what);
    }
  }

  get #markerPath(): string {
    return join(this.path, MARKER_NAME);
  }

  #gone(what: string, why: string): ReplicationError {
    const message = `${what}: ${why}: is the disk of ${this.path} mounted?`;
    return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }
}
