/** The LTX files of one replica in folders. */

import { ReplicationError, type FileFailure } from '../../error.ts';
import { compareFiles } from '../policy/checked.ts';
import type {
  AbortableOptions,
  LTXBody,
  LTXFileInfo,
  LTXFileRef,
  ListOptions,
  LocalFile,
  OpenedFile,
  OpenOptions,
  ReplicaClient,
  WriteOptions,
} from '../client.ts';
import { describeFile } from '../../replica/describe.ts';
import type { FolderPlace } from './place.ts';
import type { StoreCall } from '../store-call.ts';
import { keyOf, LEVEL_MAX, levelPrefix, parseKey } from '../layout.ts';
import type { FolderEntry } from './walk.ts';

const LAYOUT = 'tree';
/** Steps on single files that are under way at once: a few for each of Node's four threads. */
const STEPS_AT_ONCE = 32;

interface Found<Entry> {
  readonly file: LTXFileRef;
  readonly entry: Entry;
}

export class FolderReplica<Session, Entry extends FolderEntry> implements ReplicaClient {
  readonly #place: FolderPlace<Session, Entry>;
  readonly openLocalFile?: NonNullable<ReplicaClient['openLocalFile']>;

  constructor(place: FolderPlace<Session, Entry>) {
    this.#place = place;
    const openLocal = place.store.openLocal?.bind(place.store);
    if (openLocal !== undefined) {
      this.openLocalFile = (file, options) => this.#openLocalFile(openLocal, file, options);
    }
  }

  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const { name, store, tasks } = this.#place;
    const call = { what: `list level ${level} at ${name}`, signal };
    if ((await this.#place.look(call, 'once')) === 'not-yet') return;
    const levels = level === 'all' ? Array.from({ length: LEVEL_MAX + 1 }, (_, i) => i) : [level];
    let isNothingThere = true;
    for (const some of batchesOf(levels, store.levelsAtOnce)) {
      const read = (session: Session): Promise<(readonly Found<Entry>[] | undefined)[]> =>
        Promise.all(some.map((each) => this.#readLevel(session, each)));
      for (const files of await this.#place.run(call, read)) {
        if (files === undefined) continue;
        isNothingThere = false;
        const wanted =
          from === undefined ? files : files.filter(({ file }) => file.minTXID >= from);
        for (const batch of batchesOf(wanted, STEPS_AT_ONCE)) {
          for (const info of await this.#infosOf(batch, call)) {
            tasks.check(signal);
            if (info !== undefined) yield info;
          }
        }
      }
    }
    // Levels that are missing may have been there: then the root is not what it was.
    if (isNothingThere) await this.#place.look(call, 'again');
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#place.name}`;
    return await this.#place.open(this.#pathOf(file), 'file', what, options);
  }

  async #openLocalFile(
    open: (path: string) => Promise<LocalFile>,
    file: LTXFileRef,
    { signal }: AbortableOptions = {},
  ): Promise<LocalFile> {
    const what = `open ${describeFile(file)} at ${this.#place.name}`;
    return await this.#place.runLocally({ what, signal }, async () => {
      const local = await open(this.#pathOf(file));
      try {
        this.#place.tasks.check(signal); // nobody takes what comes too late
      } catch (error) {
        await local.close();
        throw error;
      }
      return local;
    });
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const { level, minTXID, maxTXID } = file;
    const path = this.#pathOf(file);
    const call = { what: `write ${describeFile(file)} to ${this.#place.name}`, signal };
    const info = await this.#place.write(path, call, (session, signals) =>
      this.#place.store.placeFile(session, path, body, { condition, signals }),
    );
    return { level, minTXID, maxTXID, ...info };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#place.name}`;
    if ((await this.#place.look({ what, signal }, 'again')) === 'not-yet') return;
    const failures: FileFailure[] = [];
    for (const batch of batchesOf(files, STEPS_AT_ONCE)) {
      const ended = await this.#place.run({ what, signal }, (session) =>
        Promise.all(batch.map((file) => this.#remove(session, file))),
      );
      failures.push(...ended.filter((failure) => failure !== undefined));
    }
    const [first] = failures;
    if (first === undefined) return;
    const message = `${what}: ${failures.length} are still there, first ${first.message}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  /** The files of a level, in order; undefined where it was never written. */
  async #readLevel(session: Session, level: number): Promise<Found<Entry>[] | undefined> {
    const { root, store } = this.#place;
    const prefix = levelPrefix(LAYOUT, root.path, level);
    const entries = await store.readFolder(session, prefix);
    return entries
      ?.flatMap((entry) => {
        const file =
          entry.kind === 'file' ? parseKey(LAYOUT, root.path, prefix + entry.name) : undefined;
        return file === undefined ? [] : [{ file, entry }];
      })
      .sort((a, b) => compareFiles(a.file, b.file));
  }

  async #infosOf(
    found: readonly Found<Entry>[],
    call: StoreCall,
  ): Promise<(LTXFileInfo | undefined)[]> {
    const infoOf = async ({ file, entry }: Found<Entry>): Promise<LTXFileInfo | undefined> => {
      const info = await this.#place.store.fileOf(this.#pathOf(file), entry);
      return info === undefined ? undefined : { ...file, ...info };
    };
    return await this.#place.runLocally(call, () => Promise.all(found.map(infoOf)));
  }

  async #remove(session: Session, file: LTXFileRef): Promise<FileFailure | undefined> {
    try {
      await this.#place.store.remove(session, this.#pathOf(file));
      return undefined;
    } catch (error) {
      const { code, message } = this.#place.named(error, describeFile(file)) as ReplicationError;
      return { file: describeFile(file), code, message };
    }
  }

  #pathOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#place.root.path, file);
  }
}

function* batchesOf<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let index = 0; index < items.length; index += size) yield items.slice(index, index + size);
}
