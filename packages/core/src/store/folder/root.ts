/**
 * The folder of one replica, and the marker in it. A disk that is not mounted looks like an empty
 * folder, or like none: so the first write leaves `.sluice-root` with a random id, and from then on
 * a root without it, or with another one's, is REPLICA_DESTINATION_NOT_FOUND, and nothing is made.
 *
 *  root is      marker   known before   reading with access 'read'   anything with access 'write'
 *  missing      -        no             DESTINATION_NOT_FOUND, *     empty; made by the first write
 *  there        none     no             as it is (Litestream's)      as it is; marked by the first write
 *  there        any      no             known from now on            known from now on
 *  any          none     yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 *  there        same     yes            as it is                     as it is
 *  there        another  yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 *
 * (*) The error says `isNew` where the folder above is there.
 *
 * Without a marker it is DESTINATION_NOT_FOUND in any case where the disk that it is to lie on is not
 * mounted, as far as that can be told.
 */

import { randomUUID } from 'node:crypto';

import { ReplicationError, type ErrorDetails } from '../../error.ts';
import type { ConnectContext } from '../backend.ts';

/** A marker that was seen: its id, and a stamp that is cheaper to compare (its inode). */
export interface Marker {
  readonly id: string;
  readonly stamp: string;
}

/** How a root looks at its folder. `toError` gives their errors a code. */
export interface RootSteps {
  /** The marker, or undefined. One that has the stamp of `known` need not be read again. */
  readMarker(known: Marker | undefined): Promise<Marker | undefined>;
  isThere(): Promise<boolean>;
  isParentThere(): Promise<boolean>;
  /** The mount point above the folder where nothing is mounted, as far as that can be told. */
  findUnmounted(): Promise<string | undefined>;
  /** Makes the folder, and the marker unless there is one. */
  mark(text: string): Promise<void>;
  toError(error: unknown, what: string): unknown;
}

export class Root {
  readonly path: string;
  readonly #access: ConnectContext['access'];
  readonly #steps: RootSteps;
  #marker: Marker | undefined;
  #marking: Promise<void> | undefined;

  constructor(path: string, access: ConnectContext['access'], steps: RootSteps) {
    this.path = path;
    this.#access = access;
    this.#steps = steps;
  }

  /** Whether there is a folder to look into. Throws where one is missing that was there. */
  async look(what: string): Promise<'there' | 'not-yet'> {
    if ((await this.#findMarker(what)) !== undefined) return 'there';
    await this.#checkMounted(what);
    const isThere = await this.#named(what, () => this.#steps.isThere());
    if (isThere) return 'there';
    if (this.#access === 'write') return 'not-yet';
    const isParentThere = await this.#named(what, () => this.#steps.isParentThere());
    const why = 'there is no such folder';
    if (isParentThere) throw this.#gone(what, why, { isNew: true });
    throw this.#gone(
      what,
      `${why}, and none that could hold it; if this is the first start, make that`,
    );
  }

  /** Makes sure that the root is there, is the one we know, and bears a marker. */
  async prepare(what: string): Promise<void> {
    this.checkWritable(what);
    if ((await this.#findMarker(what)) !== undefined) return;
    await this.#checkMounted(what);
    this.#marking ??= this.#mark(what).finally(() => {
      this.#marking = undefined;
    });
    await this.#marking;
  }

  checkWritable(what: string): void {
    if (this.#access === 'write') return;
    const message = `${what}: the destination was opened for reading`;
    throw new ReplicationError('REPLICA_PERMISSION_DENIED', message);
  }

  async #mark(what: string): Promise<void> {
    // Of two processes that begin at once, one marks, and both read its id.
    await this.#named(what, () => this.#steps.mark(`${randomUUID()}\n`));
    await this.#findMarker(what);
  }

  /** Throws when a marker that we know is there no more, or is another one's. */
  async #findMarker(what: string): Promise<Marker | undefined> {
    const known = this.#marker;
    const found = await this.#named(what, () => this.#steps.readMarker(known));
    if (known !== undefined) {
      if (found === undefined) throw this.#gone(what, 'its marker is not there any more');
      if (found.id !== known.id) throw this.#gone(what, 'another replica lies there now');
    }
    this.#marker = found;
    return found;
  }

  async #checkMounted(what: string): Promise<void> {
    const point = await this.#steps.findUnmounted();
    if (point === undefined) return;
    const message = `${what}: ${point} is a mount point of /etc/fstab, and nothing is mounted there; mount it`;
    throw new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }

  async #named<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#steps.toError(error, what);
    }
  }

  #gone(what: string, why: string, details: ErrorDetails = {}): ReplicationError {
    const message = `${what}: ${why}: is the disk of ${this.path} mounted?`;
    return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message, details);
  }
}
