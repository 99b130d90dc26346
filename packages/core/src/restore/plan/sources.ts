/** The sources of a restore: one destination, or several with the same history. */

import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { Capabilities } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { FileAccess } from '../read-ahead.ts';
import { listAll, readHeader } from './listing.ts';

/** A destination to restore from. */
export interface RestoreSource {
  /** Used in messages. */
  readonly name: string;
  readonly client: ReplicaFiles;
  /** Capabilities of the destination. Default: it can read parts of files. */
  readonly capabilities?: Capabilities | undefined;
  /** Its files, if the caller has just listed them. It is listed again only if a file is missing. */
  readonly listed?: readonly LTXFileInfo[] | undefined;
}

/** A listed file with its source. */
export interface SourcedFile extends LTXFileInfo {
  readonly source: RestoreSource;
}

/** `known`: use listings supplied by the caller. `fresh`: list each source. */
export async function listSources(
  sources: readonly RestoreSource[],
  age: 'known' | 'fresh',
  signal: AbortSignal,
): Promise<SourcedFile[]> {
  const listings = sources.map(async (source) => {
    const known = age === 'known' ? source.listed : undefined;
    const files = known ?? (await listAll(source.client, signal));
    return files.map((file) => ({ ...file, source }));
  });
  return (await Promise.all(listings)).flat();
}

export async function readSourcedHeader(
  file: SourcedFile,
  signal: AbortSignal,
): Promise<LTXHeader> {
  return await readHeader(file.source.client, file, signal);
}

/** Identifies a file across listings. The same file at two sources has two keys. */
export function keyOfFile(file: SourcedFile): string {
  return `${describeFile(file)} at ${file.source.name}`;
}

/** For ReadAhead. */
export const sourcedFiles: FileAccess<SourcedFile> = {
  describe: describeFile,
  canReadRanges: ({ source: { capabilities } }) =>
    capabilities === undefined || capabilities.ranges === true,
  open: async (file, options) => await file.source.client.openFile(file, options),
};
