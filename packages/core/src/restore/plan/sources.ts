/** The sources of a restore: one destination, or several with the same history, the nearest first. */

import { isError, type ReplicationError } from '../../error.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import type { TXID } from '../../ltx/txid.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { Capabilities } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { FileAccess } from '../read-ahead.ts';
import { listAll, readHeader, type ListedHeaders } from './listing.ts';

/** A destination to restore from. */
export interface RestoreSource {
  /** Used in messages. */
  readonly name: string;
  readonly client: ReplicaFiles;
  /** Capabilities of the destination. Default: it can read parts of files. */
  readonly capabilities?: Capabilities | undefined;
  /** Its files, if the caller has just listed them. It is listed again only if a file is missing. */
  readonly listed?: readonly LTXFileInfo[] | undefined;
  /** Headers of `listed` that were read: they are not read again. */
  readonly headers?: Pick<ListedHeaders, 'read'> | undefined;
  /** How long its listing took: among several sources, the cost of reading from it. */
  readonly listedInMs?: number | undefined;
  /** Newer files are not part of the history that the sources have in common. Default: all files are. */
  readonly upTo?: TXID | undefined;
  /** Among several sources: only files of this lineage are read, which proves that they continue each other. */
  readonly lineage?: bigint | undefined;
}

/** Files of several sources. */
export interface ListedSources {
  readonly files: readonly SourcedFile[];
  /** Sources that could not be listed, if others could. */
  readonly failed: ReadonlyMap<RestoreSource, ReplicationError>;
}

/** A listed file with its source. */
export interface SourcedFile extends LTXFileInfo {
  readonly source: RestoreSource;
}

/**
 * `known`: use listings supplied by the caller. `fresh`: list each source. Rejects if no source can be listed.
 */
export async function listSources(
  sources: readonly RestoreSource[],
  age: 'known' | 'fresh',
  signal: AbortSignal,
): Promise<ListedSources> {
  const failed = new Map<RestoreSource, ReplicationError>();
  const listings = sources.map(async (source) => {
    const known = age === 'known' ? source.listed : undefined;
    try {
      const files = known ?? (await listAll(source.client, signal));
      return files.filter(({ maxTXID }) => source.upTo === undefined || maxTXID <= source.upTo);
    } catch (error) {
      signal.throwIfAborted();
      if (!isError(error)) throw error;
      failed.set(source, error);
      return [];
    }
  });
  const listed = await Promise.all(listings);
  const [first] = failed.values();
  if (first !== undefined && failed.size === sources.length) throw first;
  const files = listed.flatMap((own, index) =>
    own.map((file) => ({ ...file, source: sources[index] as RestoreSource })),
  );
  return { files, failed };
}

/** `known`: from the listing supplied by the caller. */
export async function readSourcedHeader(
  file: SourcedFile,
  age: 'known' | 'fresh',
  signal: AbortSignal,
): Promise<LTXHeader> {
  const { client, headers } = file.source;
  if (age === 'known' && headers !== undefined) return await headers.read(file, signal);
  return await readHeader(client, file, signal);
}

/** Identifies a file across listings. The same file at two sources has two keys. */
export function keyOfFile(file: SourcedFile): string {
  return `${describeFile(file)} at ${file.source.name}`;
}

/** For ReadAhead. */
export const sourcedFiles: FileAccess<SourcedFile> = {
  describe: describeFile,
  canReadRanges: ({ source: { capabilities, client } }) =>
    client.encrypted === undefined && (capabilities === undefined || capabilities.ranges === true),
  open: async (file, options) => await file.source.client.openFile(file, options),
};
