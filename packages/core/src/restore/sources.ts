/** Where the files of a restore are read from: one destination, or several that hold one history. */

import type { LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import type { Capabilities } from '../store/client.ts';
import { describeFile } from '../store/describe.ts';
import { listAll, readHeader } from './listing.ts';

export interface RestoreSource {
  /** For messages. */
  readonly name: string;
  readonly client: ReplicaFiles;
  /** The destination's. Default: it can read parts of files. */
  readonly capabilities?: Capabilities | undefined;
  /** Its files, where they were listed just now: then it is listed again only after a surprise. */
  readonly listed?: readonly LTXFileInfo[] | undefined;
}

/** A listed file, and where it can be read. */
export interface SourcedFile extends LTXFileInfo {
  readonly source: RestoreSource;
}

/** `known`: listings that the caller brought along count. `fresh`: each source is listed. */
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

/** Identifies a file over several listings: the same file at two sources is two files. */
export function keyOfFile(file: SourcedFile): string {
  return `${describeFile(file)} at ${file.source.name}`;
}

export function canReadRanges({ source }: SourcedFile): boolean {
  return source.capabilities === undefined || source.capabilities.ranges === true;
}
