/**
 * What all backends of files in folders do around their steps: aborts and `close`, the marker of each root,
 * folders that are made before a write and removed after a delete, and what an error means.
 */

import { posix } from 'node:path';

import { isError, ReplicationError } from '../../error.ts';
import { bodyFromBytes, readBytes } from '../body.ts';
import type { ConnectContext } from '../backend.ts';
import {
  CLOSE_MS_MAX,
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
} from '../client.ts';
import { deleteEach, deleteError } from '../delete-each.ts';
import { Calls } from './calls.ts';
import { isOwnName, MARKER_NAME } from './names.ts';
import { readHandle, type FolderHandle } from './reader.ts';
import { Root, type Marker } from './root.ts';
import { SourceError } from './source.ts';
import { walk, type FolderEntry, type WalkOptions, type WalkSteps } from './walk.ts';

/** A marker holds a random id. */
const MARKER_BYTES_MAX = 1024;
/** What is left of CLOSE_MS_MAX is for the connection. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 2_000;
/** Files that are removed at the same time: a few for each of Node's four threads. */
const DELETES_AT_ONCE = 32;

export interface PlaceOptions {
  readonly condition: 'if-absent' | undefined;
  /** Each of them undoes the write, if the file has not its name yet. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** Steps on paths. They throw what the system below them throws; `toError` gives that a code. No step takes a signal. */
export interface FolderSteps<Entry extends FolderEntry> extends WalkSteps<Entry> {
  /** Another one for each file that has had this path. Undefined where there is nothing. */
  stampOf(path: string): Promise<string | undefined>;
  open(path: string): Promise<FolderHandle>;
  /** Writes the whole file or nothing, durably, into a folder that is there. REPLICA_CONFLICT if the condition does not hold. */
  place(path: string, body: ObjectBody, options: PlaceOptions): Promise<ObjectInfo>;
  /** Removing a missing file succeeds. */
  remove(path: string): Promise<void>;
  /** Makes a folder and those above it that are missing, durably. Returns those that it made. */
  makeFolder(path: string): Promise<readonly string[]>;
  /** Removes an empty folder. False where it holds anything, or is gone. */
  removeFolder(path: string): Promise<boolean>;
  /** The mount point at or above a folder where nothing is mounted. Absent: that cannot be told. */
  findUnmounted?(path: string): Promise<string | undefined>;
  /** Counts connections, from 1: a root that was found is taken to be there while the number stays. Absent: it is looked at for each call. */
  connection?(): number;
  /** Whether an error says that a file, or a folder above it, is not there. */
  isMissing(error: unknown): boolean;
  toError(error: unknown, what: string): Error;
}

/** A call of the contract. */
interface FolderCall {
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  readonly root?: string | undefined;
}

export class FolderGuard<Entry extends FolderEntry> {
  readonly #steps: FolderSteps<Entry>;
  readonly #access: ConnectContext['access'];
  readonly #calls: Calls;
  readonly #places = new Map<string, Place>();
  /** Folders that are known to be there. */
  readonly #known = new Set<string>();
  /** Those among them that this client made. */
  readonly #made = new Set<string>();

  constructor(name: string, access: ConnectContext['access'], steps: FolderSteps<Entry>) {
    this.#calls = new Calls(name);
    this.#access = access;
    this.#steps = steps;
  }

  async *list(call: FolderCall, options: WalkOptions): AsyncGenerator<ObjectInfo, void, undefined> {
    if ((await this.#look(call, 'once')) === 'not-yet') return;
    const steps: WalkSteps<Entry> = {
      foldersAtOnce: this.#steps.foldersAtOnce,
      readFolder: (path) => this.run(call, () => this.#steps.readFolder(path)),
      infoOf: (path, entry) => this.run(call, () => this.#steps.infoOf(path, entry)),
    };
    let isEmpty = true;
    for await (const info of walk(options, steps)) {
      this.#calls.check(call.signal);
      isEmpty = false;
      yield info;
    }
    // Folders that are missing may have been there: then the root is not the one that it was.
    if (isEmpty) await this.#look(call, 'again');
  }

  async get(
    call: FolderCall,
    key: string,
    options: Pick<GetOptions, 'range' | 'version'>,
  ): Promise<OpenedObject> {
    checkName(key, call.what);
    return await this.run(call, async () => {
      const toError = (error: unknown): unknown => this.#toError(error, call.what);
      const { what, signal } = call;
      const handle = await this.#steps.open(key);
      return await readHandle(handle, { ...options, what, signal, calls: this.#calls, toError });
    });
  }

  /** Makes the folders that are missing, and places the file. A write that fails removes the folders that it made. */
  async put(
    call: FolderCall,
    key: string,
    body: ObjectBody,
    condition: PlaceOptions['condition'],
  ): Promise<ObjectInfo> {
    checkName(key, call.what);
    const place = this.#placeOf(call);
    place.root.checkWritable(call.what);
    const folder = posix.dirname(key);
    const attempt = async (): Promise<ObjectInfo> => {
      await this.#prepare(place, folder, call.what);
      await this.#ensureFolder(place, folder);
      this.#calls.check(call.signal);
      const signals = [call.signal, this.#calls.closing];
      return await this.#steps.place(key, body, { condition, signals });
    };
    const attemptTwice = async (): Promise<ObjectInfo> => {
      try {
        return await attempt();
      } catch (error) {
        // A folder that we had found was removed since, if the root is still there.
        if (!this.#steps.isMissing(error) || !this.#known.has(folder)) throw error;
        this.#known.clear();
        return await attempt();
      }
    };
    return await this.run(call, async () => {
      try {
        return await attemptTwice();
      } catch (error) {
        // The error of the write says more than one of the clean-up.
        if (!isError(error, 'REPLICA_CONFLICT')) {
          await this.#removeEmptied(place, [key], call.what).catch(() => undefined);
        }
        throw error;
      }
    });
  }

  /** Removes files, and then the folders that this client made and that are empty now. */
  async delete(call: FolderCall, keys: readonly string[]): Promise<void> {
    for (const key of keys) checkName(key, call.what);
    const place = this.#placeOf(call);
    if ((await this.#look(call, 'again')) === 'not-yet') return;
    place.root.checkWritable(call.what);
    const parts = keys.map((key) => [key]);
    const failures = await deleteEach(parts, DELETES_AT_ONCE, call.signal, async (part) => {
      for (const key of part) await this.run(call, () => this.#steps.remove(key));
    });
    await this.run(call, () => this.#removeEmptied(place, keys, call.what));
    if (failures.length > 0) throw deleteError(call.what, failures);
  }

  /** Runs steps. After an abort their result is ignored. Their errors get a code. */
  async run<T>(call: FolderCall, work: () => Promise<T>): Promise<T> {
    return await this.#calls.run(call.signal, async () => {
      try {
        return await work();
      } catch (error) {
        // A file is missing too where its disk is: then that is the error.
        if (this.#steps.isMissing(error)) await this.#placeOf(call).root.look(call.what);
        throw this.#toError(error, call.what);
      }
    });
  }

  /** Throws the signal's reason, or REPLICA_CLOSED. */
  check(signal: AbortSignal | undefined): void {
    this.#calls.check(signal);
  }

  /** Ends the calls in flight and waits for their clean-up. */
  async close(): Promise<void> {
    await this.#calls.close(CLEAN_UP_MS_MAX);
  }

  #placeOf({ root = '' }: FolderCall): Place {
    let place = this.#places.get(root);
    if (place === undefined) this.#places.set(root, (place = this.#newPlace(root)));
    return place;
  }

  #newPlace(path: string): Place {
    const steps = this.#steps;
    const marker = posix.join(path, MARKER_NAME);
    const folder = posix.dirname(marker);
    const isThere = async (at: string): Promise<boolean> => (await steps.stampOf(at)) !== undefined;
    const root = new Root(path, this.#access, {
      readMarker: (known) => this.#readMarker(marker, known),
      isThere: () => isThere(folder),
      isParentThere: () => isThere(posix.dirname(folder)),
      findUnmounted: async () => await steps.findUnmounted?.(folder),
      mark: (text) => this.#mark(folder, marker, text),
      toError: (error, what) => this.#toError(error, what),
    });
    return { path, root, folder, marker, foundOver: undefined, preparedOver: undefined };
  }

  /** Whether there is a root to look into; 'once' may answer for the connection that there is. */
  async #look(call: FolderCall, when: 'once' | 'again'): Promise<'there' | 'not-yet'> {
    const place = this.#placeOf(call);
    const connection = this.#steps.connection?.();
    if (when === 'once' && connection !== undefined && place.foundOver === connection) {
      return 'there';
    }
    const found = await this.#calls.run(call.signal, () => place.root.look(call.what));
    place.foundOver = found === 'there' ? this.#steps.connection?.() : undefined;
    return found;
  }

  /** Whether the root is ours: asked once over each connection, and for each folder. */
  async #prepare(place: Place, folder: string, what: string): Promise<void> {
    const connection = this.#steps.connection?.();
    const isKnown = connection !== undefined && place.preparedOver === connection;
    if (isKnown && this.#known.has(folder)) return;
    await place.root.prepare(what);
    place.preparedOver = this.#steps.connection?.();
  }

  /** Each folder below the root by itself: one that is there may not be durable yet. */
  async #ensureFolder(place: Place, folder: string): Promise<void> {
    if (folder === place.folder || this.#known.has(folder)) return;
    const parent = posix.dirname(folder);
    if (parent !== folder) await this.#ensureFolder(place, parent);
    for (const made of await this.#steps.makeFolder(folder)) this.#made.add(made);
    this.#known.add(folder);
  }

  async #readMarker(marker: string, known: Marker | undefined): Promise<Marker | undefined> {
    const stamp = await this.#steps.stampOf(marker);
    if (stamp === undefined) return undefined;
    if (known?.stamp === stamp) return known;
    const handle = await this.#steps.open(marker);
    try {
      const sizeBytes = Math.min(handle.sizeBytes, MARKER_BYTES_MAX);
      const bytes = await readBytes(handle.read(0, sizeBytes), MARKER_BYTES_MAX);
      return { id: Buffer.from(bytes).toString('latin1').trim(), stamp };
    } finally {
      await handle.close();
    }
  }

  /** Of two processes that mark at once, the first one wins. */
  async #mark(folder: string, marker: string, text: string): Promise<void> {
    for (const made of await this.#steps.makeFolder(folder)) this.#made.add(made);
    try {
      const options = { condition: 'if-absent', signals: [] } as const;
      await this.#steps.place(marker, bodyFromBytes(Buffer.from(text)), options);
    } catch (error) {
      if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    }
  }

  async #removeEmptied(place: Place, keys: readonly string[], what: string): Promise<void> {
    const folders = [...new Set(keys.map((key) => posix.dirname(key)))];
    if (!folders.some((folder) => this.#made.has(folder))) return;
    await place.root.look(what); // what has these names in another root is not ours
    const removed: string[] = [];
    try {
      for (const deepest of folders) await this.#removeUpwards(deepest, place, removed);
    } catch (error) {
      for (const folder of removed) this.#made.add(folder); // the next delete goes the same way
      throw error;
    }
  }

  async #removeUpwards(deepest: string, place: Place, removed: string[]): Promise<void> {
    for (let at = deepest; this.#made.has(at); at = posix.dirname(at)) {
      if (at === place.folder) {
        if (!(await this.#hasNothingElse(place))) return;
        await this.#forgetRoot(place);
      }
      const isRemoved = await this.#steps.removeFolder(at);
      // It is gone if an earlier attempt failed further up, or its answer was lost.
      if (!isRemoved && (await this.#steps.readFolder(at)) !== undefined) return;
      this.#made.delete(at);
      this.#known.delete(at);
      removed.push(at);
    }
  }

  async #hasNothingElse({ folder }: Place): Promise<boolean> {
    const [entry, ...others] = (await this.#steps.readFolder(folder)) ?? [];
    return others.length === 0 && (entry === undefined || entry.name === MARKER_NAME);
  }

  /** A marker vouches for what is there: it goes last, and only where there is nothing. */
  async #forgetRoot({ path, marker }: Place): Promise<void> {
    try {
      await this.#steps.remove(marker);
    } finally {
      this.#places.delete(path); // also if the answer was lost: whether it is there is looked up again
    }
  }

  #toError(error: unknown, what: string): unknown {
    if (error instanceof SourceError) return error.cause;
    return isError(error) ? error : this.#steps.toError(error, what);
  }
}

/** One root, as far as it is known. */
interface Place {
  readonly path: string;
  readonly root: Root;
  /** The root as a folder (the empty path is where the backend begins), and the marker in it. */
  readonly folder: string;
  readonly marker: string;
  /** The connections over which the root was found, and found to be ours. */
  foundOver: number | undefined;
  preparedOver: number | undefined;
}

function checkName(key: string, what: string): void {
  if (!isOwnName(key)) return;
  throw new ReplicationError('REPLICA_UNSUPPORTED', `${what}: only Sluice itself gives such names`);
}
