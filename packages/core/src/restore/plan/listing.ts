/** Lists a destination for a restore, and finds the TXID of a target in that listing. */

import { isError } from '../../error.ts';
import { readHeader as readFileHeader } from '../../ltx/file.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { LTXFileInfo, ListFilesOptions, ReplicaFiles } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import type { Moment } from './moment.ts';
import { planMoment, type PlanTarget } from './plan.ts';
import { searchTimes, type UnreadableHeaders } from './search-times.ts';
import { UnusableFileError } from './unusable-file.ts';

/** The state to restore: the newest, a TXID, or a time. */
export type RestoreTarget =
  | PlanTarget
  /** Everything committed at or before this time and nothing later, according to file headers. */
  | { readonly kind: 'timestamp'; readonly at: Date };

/** All files at all levels. */
export async function listAll(
  client: ReplicaFiles,
  signal?: AbortSignal,
  generations?: ListFilesOptions['generations'],
): Promise<LTXFileInfo[]> {
  const files: LTXFileInfo[] = [];
  for await (const file of client.listFiles('all', { signal, generations })) files.push(file);
  return files;
}

/** `headerOf` reads a file's own time, unless `isLost`. `moment` is the state of a timestamp. */
export async function toPlanTarget<File extends LTXFileInfo>(
  listed: readonly File[],
  target: RestoreTarget,
  headerOf: (file: File) => Promise<LTXHeader>,
  isLost: (file: File) => boolean = () => false,
): Promise<{
  readonly target: PlanTarget;
  readonly moment: Moment | undefined;
  /** Files that the search has left out: plan without them. */
  readonly unreadable: UnreadableHeaders<File>;
}> {
  if (target.kind !== 'timestamp') return { target, moment: undefined, unreadable: new Map() };
  const { result: moment, unreadable } = await searchTimes(
    (isAvoided) => planMoment(listed, target.at, (file) => isAvoided(file) || isLost(file)),
    headerOf,
  );
  return { target: { kind: 'txid', txid: moment.txid }, moment, unreadable };
}

export async function readHeader(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<LTXHeader> {
  try {
    return await readFileHeader(rangesOf(client, file, signal), file.sizeBytes);
  } catch (error) {
    if (!isError(error) || !error.code.startsWith('LTX_')) throw error;
    const message = `read the header of ${describeFile(file)}: ${error.message}`;
    throw new UnusableFileError(error.code, message, [file], error);
  }
}

/** Headers that were read from one listing of a destination: a survey and the restore after it need the same. */
export class ListedHeaders {
  readonly #client: ReplicaFiles;
  /** By `describeFile`. */
  readonly #headers = new Map<string, Promise<LTXHeader>>();

  constructor(client: ReplicaFiles) {
    this.#client = client;
  }

  /** UnusableFileError if the header cannot be decoded. */
  async read(file: LTXFileInfo, signal: AbortSignal | undefined): Promise<LTXHeader> {
    const name = describeFile(file);
    const known = this.#headers.get(name) ?? readHeader(this.#client, file, signal);
    this.#headers.set(name, known);
    try {
      return await known;
    } catch (error) {
      if (!(error instanceof UnusableFileError)) this.#headers.delete(name); // it may be read later
      throw error;
    }
  }
}
