/** What a destination has for a restore, and which TXID a target means there. */

import { isError, ReplicationError } from '../error.ts';
import { decodeHeader, HEADER_SIZE_BYTES, type LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';
import { readBytes } from '../store/body.ts';
import { planMoment, type PlanTarget } from './plan.ts';

export type RestoreTarget =
  | PlanTarget
  /** Everything committed at or before this moment, and nothing later, as headers tell the time. */
  | { readonly kind: 'timestamp'; readonly at: Date };

/** All files of all levels. */
export async function listAll(client: ReplicaFiles, signal?: AbortSignal): Promise<LTXFileInfo[]> {
  const files: LTXFileInfo[] = [];
  for await (const file of client.listFiles('all', { signal })) files.push(file);
  return files;
}

/** `doubt` says why another state may have been meant. */
export async function toPlanTarget(
  client: ReplicaFiles,
  listed: readonly LTXFileInfo[],
  target: RestoreTarget,
  signal: AbortSignal | undefined,
): Promise<{ readonly target: PlanTarget; readonly doubt: string | undefined }> {
  if (target.kind !== 'timestamp') return { target, doubt: undefined };
  const questions = planMoment(listed, target.at);
  let step = questions.next();
  while (step.done !== true) {
    // The file's own time. A listing's may be that of a copy of the bucket.
    const times = step.value.map(
      async (file) => new Date((await readHeader(client, file, signal)).timestampMs),
    );
    step = questions.next(await Promise.all(times));
  }
  const { txid, doubt } = step.value;
  return { target: { kind: 'txid', txid }, doubt };
}

export async function readHeader(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<LTXHeader> {
  const range = { start: 0, end: HEADER_SIZE_BYTES };
  const { body } = await client.openFile(file, { range, signal });
  const bytes = await readBytes(body, HEADER_SIZE_BYTES);
  try {
    return decodeHeader(bytes);
  } catch (error) {
    if (!isError(error)) throw error;
    const message = `read the header of ${describeFile(file)}: ${error.message}`;
    throw new ReplicationError(error.code, message, { cause: error });
  }
}
