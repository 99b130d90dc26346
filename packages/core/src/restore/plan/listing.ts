/** Lists a destination for a restore, and finds the TXID of a target in that listing. */

import { isError } from '../../error.ts';
import { readHeader as readFileHeader } from '../../ltx/file.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { LTXFileInfo, ListFilesOptions, ReplicaFiles } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import type { Moment, TimeSearch } from './moment.ts';
import { planMoment, type PlanTarget } from './plan.ts';
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

/** `headerOf` reads a file's own time. `moment` is the state of a timestamp. */
export async function toPlanTarget<File extends LTXFileInfo>(
  listed: readonly File[],
  target: RestoreTarget,
  headerOf: (file: File) => Promise<LTXHeader>,
): Promise<{ readonly target: PlanTarget; readonly moment: Moment | undefined }> {
  if (target.kind !== 'timestamp') return { target, moment: undefined };
  const moment = await searchTimes(planMoment(listed, target.at), headerOf);
  return { target: { kind: 'txid', txid: moment.txid }, moment };
}

/** Runs a search with the times in the files. A listing's time may be that of copying the bucket. */
export async function searchTimes<File extends LTXFileInfo, Result>(
  search: TimeSearch<File, Result>,
  headerOf: (file: File) => Promise<LTXHeader>,
): Promise<Result> {
  let step = search.next();
  while (step.done !== true) {
    const times = step.value.map(async (file) => new Date((await headerOf(file)).timestampMs));
    step = search.next(await Promise.all(times));
  }
  return step.value;
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
