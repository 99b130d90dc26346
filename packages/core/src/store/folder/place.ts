/** One root in folders, for its LTX files and its named objects alike. */

import { posix } from 'node:path';

import { isError } from '../../error.ts';
import type { ConnectContext } from '../backend.ts';
import { bodyFromBytes } from '../body.ts';
import type { OpenedObject, OpenOptions } from '../client.ts';
import { describeReplica } from '../../replica/describe.ts';
import { readHandle } from './reader.ts';
import { MARKER_NAME, Root, type Marker } from './root.ts';
import type { FolderContent, FolderPlaceOptions, FolderStore } from './store.ts';
import { readBytes } from '../read-bytes.ts';
import { SourceError } from './source.ts';
import type { StoreCall } from '../store-call.ts';
import type { Tasks } from './calls.ts';
import type { FolderEntry } from './walk.ts';

/** A marker holds a random id. */
const MARKER_BYTES_MAX = 1024;

export class FolderPlace<Session, Entry extends FolderEntry> {
  readonly name: string;
  readonly root: Root;
  readonly store: FolderStore<Session, Entry>;
  readonly tasks: Tasks;
  /** The root as a folder (the empty path is where the backend begins), and the marker in it. */
  readonly folder: string;
  readonly marker: string;
  /** Folders that we have made or found. */
  readonly #folders = new Set<string>();
  /** The connections over which the root was found, and found to be ours. */
  #foundOver: number | undefined;
  #preparedOver: number | undefined;

  constructor(
    path: string,
    store: FolderStore<Session, Entry>,
    tasks: Tasks,
    destination: { readonly name: string; readonly access: ConnectContext['access'] },
  ) {
    this.name = describeReplica(destination.name, path);
    this.store = store;
    this.tasks = tasks;
    this.marker = posix.join(path, MARKER_NAME);
    this.folder = posix.dirname(this.marker);
    const isThere = (folder: string): Promise<boolean> =>
      store.use(async (session) => (await store.stampOf(session, folder)) !== undefined);
    this.root = new Root(path, destination.access, {
      readMarker: (known) => this.#readMarker(known),
      isThere: () => isThere(this.folder),
      isParentThere: () => isThere(posix.dirname(this.folder)),
      findUnmounted: async () => await store.findUnmounted?.(this.folder),
      mark: (text) => store.use((session) => this.#mark(session, text)),
      describe: (error, what) => this.named(error, what),
    });
  }

  /** Whether there is a root to look into; 'once' may answer for the connection that there is. */
  async look({ what, signal }: StoreCall, when: 'once' | 'again'): Promise<'there' | 'not-yet'> {
    const generation = this.store.generation?.();
    if (when === 'once' && generation !== undefined && this.#foundOver === generation) {
      return 'there';
    }
    const found = await this.tasks.run(signal, () => this.root.look(what));
    this.#foundOver = found === 'there' ? this.store.generation?.() : undefined;
    return found;
  }

  /** Steps in a session; their errors get a code. */
  async run<T>(call: StoreCall, work: (session: Session) => Promise<T>): Promise<T> {
    return await this.runLocally(call, () => this.store.use(work));
  }

  async runLocally<T>({ what, signal }: StoreCall, work: () => Promise<T>): Promise<T> {
    return await this.tasks.run(signal, async () => {
      try {
        return await work();
      } catch (error) {
        // A file that is missing because its disk is says so.
        if (this.store.isMissing(error)) await this.root.look(what);
        throw this.named(error, what);
      }
    });
  }

  async open(
    path: string,
    content: FolderContent,
    what: string,
    options: OpenOptions,
  ): Promise<OpenedObject> {
    return await this.runLocally({ what, signal: options.signal }, async () => {
      const handle = await this.store.open(path, content);
      const named = (error: unknown): unknown => this.named(error, what);
      return await readHandle(handle, { ...options, what, tasks: this.tasks, named });
    });
  }

  /** Makes what has to be there, and has a file placed at `path`. */
  async write<T>(
    path: string,
    { what, signal }: StoreCall,
    place: (session: Session, signals: FolderPlaceOptions['signals']) => Promise<T>,
  ): Promise<T> {
    this.root.checkWritable(what);
    const folder = posix.dirname(path);
    const attempt = async (session: Session): Promise<T> => {
      await this.#prepare(folder, what);
      await this.#ensureFolder(session, folder);
      this.tasks.check(signal);
      return await place(session, [signal, this.tasks.closing]);
    };
    return await this.run({ what, signal }, async (session) => {
      try {
        return await attempt(session);
      } catch (error) {
        // A folder that we had found was removed behind our back, if the root is still there.
        if (!this.store.isMissing(error) || !this.#folders.has(folder)) throw error;
        this.#folders.clear();
        return await attempt(session);
      }
    });
  }

  named(error: unknown, what: string): unknown {
    if (error instanceof SourceError) return error.cause;
    return isError(error) ? error : this.store.describe(error, what);
  }

  /** Whether the root is ours: once over each connection, and for each folder. */
  async #prepare(folder: string, what: string): Promise<void> {
    const generation = this.store.generation?.();
    const isKnown = generation !== undefined && this.#preparedOver === generation;
    if (isKnown && this.#folders.has(folder)) return;
    await this.root.prepare(what);
    this.#preparedOver = this.store.generation?.();
  }

  /** Each below the root by itself: one that is there may not be durable yet. */
  async #ensureFolder(session: Session, folder: string): Promise<void> {
    if (folder === this.folder || this.#folders.has(folder)) return;
    await this.#ensureFolder(session, posix.dirname(folder));
    await this.store.makeFolder(session, folder);
    this.#folders.add(folder);
  }

  async #readMarker(known: Marker | undefined): Promise<Marker | undefined> {
    const stamp = await this.store.use((session) => this.store.stampOf(session, this.marker));
    if (stamp === undefined) return undefined;
    if (known?.stamp === stamp) return known;
    const handle = await this.store.open(this.marker, 'object');
    try {
      const sizeBytes = Math.min(handle.sizeBytes, MARKER_BYTES_MAX);
      const bytes = await readBytes(handle.read(0, sizeBytes), MARKER_BYTES_MAX);
      return { id: Buffer.from(bytes).toString('latin1').trim(), stamp };
    } finally {
      await handle.close();
    }
  }

  /** Of two processes that mark at once, the first one has. */
  async #mark(session: Session, text: string): Promise<void> {
    await this.store.makeFolder(session, this.folder);
    const body = bodyFromBytes(Buffer.from(text), new Date());
    const options = { condition: 'if-absent', signals: [] } as const;
    try {
      await this.store.placeFile(session, this.marker, body, options);
    } catch (error) {
      if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    }
  }
}
