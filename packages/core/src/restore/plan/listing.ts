/** Lists a destination for a restore, and finds the TXID of a target in that listing. */

import { isError } from '../../error.ts';
import { readHeader as readFileHeader } from '../../ltx/file.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import { planMoment, type PlanTarget } from './plan.ts';
import { UnusableFileError } from './unusable-file.ts';

/** The state to restore: the newest, a TXID, or a time. */
export type RestoreTarget =
  | PlanTarget
  /** Everything committed at or before this time and nothing later, according to file headers. */
  | { readonly kind: 'timestamp'; readonly at: Date };

/** All files at all levels. */
export async function listAll(client: ReplicaFiles, signal?: AbortSignal): Promise<LTXFileInfo[]> {
  const files: LTXFileInfo[] = [];
  for await (const file of client.listFiles('all', { signal })) files.push(file);
  return files;
}

/** `headerOf` reads a file's own time. `doubt` says why another state may have been meant. */
export async function toPlanTarget<File extends LTXFileInfo>(
  listed: readonly File[],
  target: RestoreTarget,
  headerOf: (file: File) => Promise<LTXHeader>,
): Promise<{ readonly target: PlanTarget; readonly doubt: string | undefined }> {
  if (target.kind !== 'timestamp') return { target, doubt: undefined };
  const search = planMoment(listed, target.at);
  let step = search.next();
  while (step.done !== true) {
    // The time in the file. The listing's time may be that of copying the bucket.
    const times = step.value.map(async (file) => new Date((await headerOf(file)).timestampMs));
    step = search.next(await Promise.all(times));
  }
  const { txid, doubt } = step.value;
  return { target: { kind: 'txid', txid }, doubt };
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
