/**
 * The common part of backends that store files in folders: aborts and `close`, the marker of each root,
 * creating folders before a write, removing empty folders after a delete, and error codes.
 */

import { posix } from 'node:path';

import { isError, ReplicationError } from '../../error.ts';
import { bodyFromBytes, readBytes } from '../body.ts';
import type { ConnectContext } from '../backend.ts';
import {
  CLOSE_MS_MAX,
  type EmptyRoot,
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
  type OpenedObject,
} from '../client.ts';
import { deleteEach, deleteError } from '../delete-each.ts';
import { Calls } from './calls.ts';
import { isReservedName, MARKER_NAME } from './names.ts';
import { readHandle, type FolderHandle } from './reader.ts';
import { Root, type Marker } from './root.ts';
import { SourceError } from './source.ts';
import { walk, type FolderEntry, type WalkOptions, type WalkSteps } from './walk.ts';

/** A marker contains a random ID. */
const MARKER_BYTES_MAX = 1024;
/** The rest of CLOSE_MS_MAX is for closing the connection. */
const CLEAN_UP_MS_MAX = CLOSE_MS_MAX - 2_000;
/** Number of files removed concurrently: a few for each of Node's four threads. */
const DELETES_AT_ONCE = 32;

/** Options of giving a file its final name. */
export interface PlaceOptions {
  readonly condition: 'if-absent' | undefined;
  /** Each of them cancels the write, unless the file already has its name. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/** Operations on paths. They throw the system's own errors; `toError` converts them. No step takes a signal. */
export interface FolderSteps<Entry extends FolderEntry> extends WalkSteps<Entry> {
  /** A stamp that differs for each file or folder at this path (an inode). Undefined if there is none. */
  stampOf(path: string): Promise<string | undefined>;
  open(path: string): Promise<FolderHandle>;
  /** Durably writes the whole file or nothing, into an existing folder. REPLICA_CONFLICT if the condition fails. */
  place(path: string, body: ObjectBody, options: PlaceOptions): Promise<ObjectInfo>;
  /** Removing a missing file succeeds. */
  remove(path: string): Promise<void>;
  /** Durably creates a folder and its missing parents. Returns the folders that it created. */
  makeFolder(path: string): Promise<readonly string[]>;
  /** Removes an empty folder. Returns false if it is not empty or does not exist. */
  removeFolder(path: string): Promise<boolean>;
  /** The mount point at or above a folder, if nothing is mounted there. Absent if this cannot be determined. */
  findUnmounted?(path: string): Promise<string | undefined>;
  /** Number of the connection, from 1. A root is checked once per connection. Absent: it is checked for each call. */
  connection?(): number;
  /** Whether an error means that a file or a folder above it does not exist. */
  isMissing(error: unknown): boolean;
  toError(error: unknown, what: string): Error;
}

/** A call of the contract. */
interface FolderCall {
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  readonly root?: string | undefined;
  readonly emptyRoot?: EmptyRoot | undefined;
}

/** Steps that all backends of files in folders share: lists, reads, writes and deletes below a root folder. */
export class FolderGuard<Entry extends FolderEntry> {
  readonly #steps: FolderSteps<Entry>;
  readonly #access: ConnectContext['access'];
  readonly #calls: Calls;
  readonly #states = new Map<string, RootState>();
  /** Folders that are known to exist. */
  readonly #known = new Set<string>();
  /** Folders that this client created. */
  readonly #made = new Set<string>();

  constructor(name: string, access: ConnectContext['access'], steps: FolderSteps<Entry>) {
    this.#calls = new Calls(name);
    this.#access = access;
    this.#steps = steps;
  }

  async *list(call: FolderCall, options: WalkOptions): AsyncGenerator<ObjectInfo, void, undefined> {
    if (call.emptyRoot === 'accept') this.#forgetMarker(call);
    if ((await this.#look(call, 'once')) === 'not-yet') {
      this.#checkExpected(call);
      return;
    }
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
    // The folders may be missing because the disk is: check the root again.
    if (!isEmpty) return;
    await this.#look(call, 'again');
    this.#checkExpected(call);
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

  /** Creates missing folders and writes the file. A failed write removes the folders that it created. */
  async put(
    call: FolderCall,
    key: string,
    body: ObjectBody,
    condition: PlaceOptions['condition'],
  ): Promise<ObjectInfo> {
    checkName(key, call.what);
    const state = this.#stateOf(call);
    state.root.checkWritable(call.what);
    const folder = posix.dirname(key);
    const attempt = async (): Promise<ObjectInfo> => {
      await this.#prepare(state, folder, call.what);
      await this.#ensureFolder(state, folder);
      this.#calls.check(call.signal);
      const signals = [call.signal, this.#calls.closing];
      return await this.#steps.place(key, body, { condition, signals });
    };
    const attemptTwice = async (): Promise<ObjectInfo> => {
      try {
        return await attempt();
      } catch (error) {
        // If the root still exists, somebody removed a folder that we had found.
        if (!this.#steps.isMissing(error) || !this.#known.has(folder)) throw error;
        this.#known.clear();
        return await attempt();
      }
    };
    return await this.run(call, async () => {
      try {
        return await attemptTwice();
      } catch (error) {
        // The error of the write is more useful than one of the clean-up.
        if (!isError(error, 'REPLICA_CONFLICT')) {
          await this.#removeEmptied(state, [key], call.what).catch(() => undefined);
        }
        throw error;
      }
    });
  }

  /** Removes files, and then the folders that this client created and that are now empty. */
  async delete(call: FolderCall, keys: readonly string[]): Promise<void> {
    for (const key of keys) checkName(key, call.what);
    const state = this.#stateOf(call);
    if ((await this.#look(call, 'again')) === 'not-yet') return;
    state.root.checkWritable(call.what);
    const parts = keys.map((key) => [key]);
    const failures = await deleteEach(parts, DELETES_AT_ONCE, call.signal, async (part) => {
      for (const key of part) await this.run(call, () => this.#steps.remove(key));
    });
    await this.run(call, () => this.#removeEmptied(state, keys, call.what));
    if (failures.length > 0) throw deleteError(call.what, failures);
  }

  /** Runs steps. Ignores their result after an abort. Converts their errors. */
  async run<T>(call: FolderCall, work: () => Promise<T>): Promise<T> {
    return await this.#calls.run(call.signal, async () => {
      try {
        return await work();
      } catch (error) {
        // If the file is missing because the disk is, throw that error.
        if (this.#steps.isMissing(error)) await this.#stateOf(call).root.look(call.what);
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

  #stateOf({ root = '' }: FolderCall): RootState {
    let state = this.#states.get(root);
    if (state === undefined) this.#states.set(root, (state = this.#newState(root)));
    return state;
  }

  #newState(path: string): RootState {
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
    return {
      path,
      root,
      folder,
      marker,
      foundOnConnection: undefined,
      preparedOnConnection: undefined,
    };
  }

  /** Whether the root exists. 'once': checks it once per connection. 'again': always checks it. */
  async #look(call: FolderCall, when: 'once' | 'again'): Promise<'there' | 'not-yet'> {
    const state = this.#stateOf(call);
    const connection = this.#steps.connection?.();
    if (when === 'once' && connection !== undefined && state.foundOnConnection === connection) {
      return 'there';
    }
    const found = await this.#calls.run(call.signal, () => state.root.look(call.what));
    state.foundOnConnection = found === 'there' ? this.#steps.connection?.() : undefined;
    return found;
  }

  #checkExpected(call: FolderCall): void {
    const { root } = this.#stateOf(call);
    if (call.emptyRoot === 'refuse' && !root.isMarked) throw root.emptied(call.what);
  }

  #forgetMarker(call: FolderCall): void {
    const state = this.#stateOf(call);
    state.root.forgetMarker();
    state.foundOnConnection = undefined;
    state.preparedOnConnection = undefined;
    this.#known.clear(); // its folders may be missing too
  }

  /** Makes sure that the root is ours: once per connection, and for each new folder. */
  async #prepare(state: RootState, folder: string, what: string): Promise<void> {
    const connection = this.#steps.connection?.();
    const isKnown = connection !== undefined && state.preparedOnConnection === connection;
    if (isKnown && this.#known.has(folder)) return;
    await state.root.prepare(what);
    state.preparedOnConnection = this.#steps.connection?.();
  }

  /** Creates each folder below the root separately: an existing folder may not be durable yet. */
  async #ensureFolder(state: RootState, folder: string): Promise<void> {
    if (folder === state.folder || this.#known.has(folder)) return;
    const parent = posix.dirname(folder);
    if (parent !== folder) await this.#ensureFolder(state, parent);
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

  /** If two processes write the marker at the same time, the first one wins. */
  async #mark(folder: string, marker: string, text: string): Promise<void> {
    for (const made of await this.#steps.makeFolder(folder)) this.#made.add(made);
    try {
      const options = { condition: 'if-absent', signals: [] } as const;
      await this.#steps.place(marker, bodyFromBytes(Buffer.from(text)), options);
    } catch (error) {
      if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    }
  }

  async #removeEmptied(state: RootState, keys: readonly string[], what: string): Promise<void> {
    const folders = [...new Set(keys.map((key) => posix.dirname(key)))];
    if (!folders.some((folder) => this.#made.has(folder))) return;
    await state.root.look(what); // folders with these names in another root are not ours
    const removed: string[] = [];
    try {
      for (const deepest of folders) await this.#removeUpwards(deepest, state, removed);
    } catch (error) {
      for (const folder of removed) this.#made.add(folder); // the next delete tries them again
      throw error;
    }
  }

  async #removeUpwards(deepest: string, state: RootState, removed: string[]): Promise<void> {
    for (let at = deepest; this.#made.has(at); at = posix.dirname(at)) {
      if (at === state.folder) {
        if (!(await this.#hasNothingElse(state))) return;
        await this.#forgetRoot(state);
      }
      const isRemoved = await this.#steps.removeFolder(at);
      // It is already gone if an earlier attempt failed further up, or if its response was lost.
      if (!isRemoved && (await this.#steps.stampOf(at)) !== undefined) return;
      this.#made.delete(at);
      this.#known.delete(at);
      removed.push(at);
    }
  }

  async #hasNothingElse({ folder }: RootState): Promise<boolean> {
    const [entry, ...others] = (await this.#steps.readFolder(folder)) ?? [];
    return others.length === 0 && (entry === undefined || entry.name === MARKER_NAME);
  }

  /** Removes the marker last, and only from an empty folder: it identifies the folder. */
  async #forgetRoot({ path, marker }: RootState): Promise<void> {
    try {
      await this.#steps.remove(marker);
    } finally {
      this.#states.delete(path); // also if the response was lost: the next call checks again
    }
  }

  #toError(error: unknown, what: string): unknown {
    if (error instanceof SourceError) return error.cause;
    return isError(error) ? error : this.#steps.toError(error, what);
  }
}

/** The known state of one root. */
interface RootState {
  readonly path: string;
  readonly root: Root;
  /** The folder of the root (for an empty path, the backend's own folder), and the marker in it. */
  readonly folder: string;
  readonly marker: string;
  /** The connections over which the root was found and was prepared. */
  foundOnConnection: number | undefined;
  preparedOnConnection: number | undefined;
}

function checkName(key: string, what: string): void {
  if (!isReservedName(key)) return;
  const message = `${what}: this name is reserved for Sluice's own files`;
  throw new ReplicationError('REPLICA_UNSUPPORTED', message);
}
