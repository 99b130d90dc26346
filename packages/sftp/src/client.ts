/** One server with one login, and the files of one replica on it. */

import {
  compareFiles,
  describeFile,
  describeReplica,
  keyOf,
  LEVEL_MAX,
  levelPrefix,
  parseKey,
  ReplicationError,
  Tasks,
  type AbortableOptions,
  type ConnectContext,
  type Destination,
  type FileFailure,
  type LTXBody,
  type LTXFileInfo,
  type LTXFileRef,
  type ListOptions,
  type OpenedFile,
  type OpenOptions,
  type ReplicaClient,
  type WriteOptions,
} from '@sluice/core/backend';

import type { Channel } from './channel.ts';
import type { SFTPConfig } from './config.ts';
import { Connection } from './connection.ts';
import { toReplicationError } from './errors.ts';
import { SFTPObjects } from './objects.ts';
import { Place, type Shared } from './place.ts';
import type { VersionOf } from './read.ts';

const LAYOUT = 'tree';
/** Requests of one deletion that are on their way at once. */
const CALLS_AT_ONCE = 32;
/** What calls leave behind has so long to be cleaned up; then the connection goes. */
const CLEAN_UP_MS_MAX = 3_000;
/** The checksums at the end of an LTX file: of all its bytes, so they tell one version from another. */
const TRAILER_BYTES = 16;

/** Connects to nothing: what is not right is told by the first call. */
export async function connect(config: SFTPConfig, context: ConnectContext): Promise<Destination> {
  const { host, port, user, concurrentWrites } = config;
  const address = host.includes(':') ? `[${host}]` : host;
  const name = `sftp://${user}@${address}${port === 22 ? '' : `:${port}`}`;
  const tasks = new Tasks(name);
  const connection = new Connection(name, config, context.logger);
  const pieces = concurrentWrites ? 'many-at-once' : 'one-by-one';
  const shared: Shared = { connection, tasks, context, pieces };
  const places = new Map<string, Place>();
  const placeAt = (path: string): Place => {
    const place = places.get(path) ?? new Place(path, shared);
    places.set(path, place);
    return place;
  };
  let closed: Promise<void> | undefined;
  return {
    name,
    capabilities: { ranges: true, ifAbsent: 'any-size' },
    replica: (path) => new SFTPReplica(placeAt(path), name),
    objects: (path) => new SFTPObjects(placeAt(path), name),
    async close() {
      connection.stopConnecting();
      closed ??= tasks.close(CLEAN_UP_MS_MAX).then(() => connection.close());
      await closed;
    },
  };
}

class SFTPReplica implements ReplicaClient {
  readonly #place: Place;
  readonly #path: string;
  readonly #name: string;

  constructor(place: Place, destination: string) {
    this.#place = place;
    this.#path = place.root.path;
    this.#name = describeReplica(destination, this.#path);
  }

  async *listFiles(
    level: number | 'all',
    { from, signal }: ListOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const what = `list level ${level} at ${this.#name}`;
    if ((await this.#place.look(signal, what, 'once')) === 'not-yet') return;
    const levels = level === 'all' ? Array.from({ length: LEVEL_MAX + 1 }, (_, i) => i) : [level];
    const read = (channel: Channel): Promise<(readonly LTXFileInfo[] | undefined)[]> =>
      Promise.all(levels.map((each) => this.#readLevel(channel, each)));
    const lists = await this.#place.run(signal, what, read);
    // Levels that are missing may have been there: then the root is not what it was.
    if (lists.every((files) => files === undefined)) await this.#place.look(signal, what, 'again');
    for (const file of lists.flatMap((files) => files ?? [])) {
      this.#place.tasks.check(signal);
      if (from === undefined || file.minTXID >= from) yield file;
    }
  }

  async openFile(file: LTXFileRef, options: OpenOptions = {}): Promise<OpenedFile> {
    const what = `open ${describeFile(file)} at ${this.#name}`;
    return await this.#place.open(this.#pathOf(file), what, versionOfTrailer, options);
  }

  async writeFile(
    file: LTXFileRef,
    body: LTXBody,
    { condition = 'none', signal }: WriteOptions = {},
  ): Promise<LTXFileInfo> {
    const what = `write ${describeFile(file)} to ${this.#name}`;
    // Litestream keeps the header's time in mtime; what is left for the upload's is atime.
    const modifiedMs = body.createdAt.getTime();
    const times = (accessedMs: number) => ({ accessedMs, modifiedMs });
    const options = { condition, times, signal };
    const modifiedAt = await this.#place.write(this.#pathOf(file), what, body, options);
    const { level, minTXID, maxTXID } = file;
    return { level, minTXID, maxTXID, sizeBytes: body.sizeBytes, modifiedAt };
  }

  async deleteFiles(
    files: readonly LTXFileRef[],
    { signal }: AbortableOptions = {},
  ): Promise<void> {
    const what = `delete ${files.length} files at ${this.#name}`;
    if ((await this.#place.look(signal, what, 'again')) === 'not-yet') return;
    const failures: FileFailure[] = [];
    for (let index = 0; index < files.length; index += CALLS_AT_ONCE) {
      const batch = files.slice(index, index + CALLS_AT_ONCE);
      const ended = await this.#place.run(signal, what, (channel) =>
        Promise.all(batch.map((file) => this.#remove(channel, file))),
      );
      failures.push(...ended.filter((failure) => failure !== undefined));
    }
    const [first] = failures;
    if (first === undefined) return;
    const message = `${what}: ${failures.length} are still there, first ${first.message}`;
    throw new ReplicationError(first.code, message, { failures });
  }

  /** The files of a level, in order; undefined where it was never written. */
  async #readLevel(channel: Channel, level: number): Promise<readonly LTXFileInfo[] | undefined> {
    const prefix = levelPrefix(LAYOUT, this.#path, level);
    const entries = await this.#place.readFolder(channel, prefix);
    return entries
      ?.flatMap(({ name, kind, sizeBytes, accessedMs }) => {
        const file = kind === 'file' ? parseKey(LAYOUT, this.#path, prefix + name) : undefined;
        // No createdAt: mtime holds it without its milliseconds.
        return file === undefined ? [] : [{ ...file, sizeBytes, modifiedAt: new Date(accessedMs) }];
      })
      .sort(compareFiles);
  }

  async #remove(channel: Channel, file: LTXFileRef): Promise<FileFailure | undefined> {
    try {
      await this.#place.remove(channel, this.#pathOf(file));
      return undefined;
    } catch (error) {
      const { code, message } = toReplicationError(error, describeFile(file));
      return { file: describeFile(file), code, message };
    }
  }

  #pathOf(file: LTXFileRef): string {
    return keyOf(LAYOUT, this.#path, file);
  }
}

const versionOfTrailer: VersionOf = async ({ sizeBytes }, readAt) => {
  const length = Math.min(TRAILER_BYTES, sizeBytes);
  const trailer =
    length === 0 ? '' : Buffer.from(await readAt(sizeBytes - length, length)).toString('hex');
  return `${sizeBytes}-${trailer}`;
};
