/**
 * The folder of one replica, and the marker in it. A disk that is not mounted looks like an empty or
 * missing folder. So the first write creates `.sluice-root` with a random ID. From then on a root
 * without this marker, or with another one, is REPLICA_DESTINATION_NOT_FOUND, and nothing is created.
 *
 *  root is      marker   known before   reading with access 'read'   anything with access 'write'
 *  missing      -        no             DESTINATION_NOT_FOUND, *     empty; the first write creates it
 *  exists       none     no             read (Litestream's)          the first write marks it
 *  exists       any      no             known from now on            known from now on
 *  any          none     yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 *  exists       same     yes            read                         read, written
 *  exists       another  yes            DESTINATION_NOT_FOUND        DESTINATION_NOT_FOUND
 *
 * The caller of a listing may say more (EmptyRoot): that it has written there before, although this process has not
 * seen the marker; or that a known marker does not count any more.
 *
 * (*) The error has `isNew` if the parent folder exists.
 *
 * A root without a marker is always DESTINATION_NOT_FOUND if its disk is known to be unmounted.
 */

import { randomUUID } from 'node:crypto';

import { ReplicationError, type ErrorDetails } from '../../error.ts';
import type { ConnectContext } from '../backend.ts';

/** A marker: its ID, and a stamp that is cheaper to compare (its inode). */
export interface Marker {
  readonly id: string;
  readonly stamp: string;
}

/** The operations of a root on its folder. `toError` converts their errors. */
export interface RootSteps {
  /** The marker, or undefined. A marker with the stamp of `known` need not be read again. */
  readMarker(known: Marker | undefined): Promise<Marker | undefined>;
  isThere(): Promise<boolean>;
  isParentThere(): Promise<boolean>;
  /** The mount point above the folder, if it is known that nothing is mounted there. */
  findUnmounted(): Promise<string | undefined>;
  /** Creates the folder, and the marker unless it exists. */
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

  /** Whether the folder exists. Throws if a known folder is missing. */
  async look(what: string): Promise<'there' | 'not-yet'> {
    if ((await this.#findMarker(what)) !== undefined) return 'there';
    await this.#checkMounted(what);
    const isThere = await this.#withErrors(what, () => this.#steps.isThere());
    if (isThere) return 'there';
    if (this.#access === 'write') return 'not-yet';
    const isParentThere = await this.#withErrors(what, () => this.#steps.isParentThere());
    if (isParentThere) throw this.#notFound(what, 'the folder does not exist', { isNew: true });
    const message =
      `${what}: the folder does not exist, and neither does its parent: check the path, mount the disk of ${this.path}, ` +
      'or create the parent if this is the first start';
    throw new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message);
  }

  /** Whether the marker was there when it was last looked for. */
  get isMarked(): boolean {
    return this.#marker !== undefined;
  }

  /** The marker that is found next is the right one, and there may be none. */
  forgetMarker(): void {
    this.#marker = undefined;
  }

  /** The error of an empty folder without a marker, to which files were written before. */
  emptied(what: string): ReplicationError {
    return this.#notFound(
      what,
      'there are neither files nor its marker (.sluice-root), although files were written there',
    );
  }

  /** Makes sure that the root exists, is the known one, and has a marker. */
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
    // If two processes start at the same time, one writes the marker, and both read its ID.
    await this.#withErrors(what, () => this.#steps.mark(`${randomUUID()}\n`));
    await this.#findMarker(what);
  }

  /** Throws if the known marker is missing or was replaced. */
  async #findMarker(what: string): Promise<Marker | undefined> {
    const known = this.#marker;
    const found = await this.#withErrors(what, () => this.#steps.readMarker(known));
    if (known !== undefined) {
      if (found === undefined) throw this.#notFound(what, 'its marker (.sluice-root) is missing');
      if (found.id !== known.id) throw this.#notFound(what, 'it now contains another replica');
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

  async #withErrors<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#steps.toError(error, what);
    }
  }

  #notFound(what: string, why: string, details: ErrorDetails = {}): ReplicationError {
    const again =
      this.#access === 'read'
        ? ''
        : ' If its files are gone for good, "sluice reseed NAME" lets a full snapshot be sent there';
    const message = `${what}: ${why}: is the disk of ${this.path} mounted?${again}`;
    return new ReplicationError('REPLICA_DESTINATION_NOT_FOUND', message, details);
  }
}
