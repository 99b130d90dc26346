/** An error that names the files without which a restore may still succeed. */

import { isError, ReplicationError, type ErrorCode } from '../error.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';

export class UnfitFile extends ReplicationError {
  /** Leave out one of these: the likeliest culprit first. */
  readonly suspects: readonly LTXFileInfo[];

  constructor(
    code: ErrorCode,
    message: string,
    suspects: readonly LTXFileInfo[],
    cause?: ReplicationError,
  ) {
    super(code, message, { cause });
    this.suspects = suspects;
  }
}

/** What is wrong with a file's bytes, told with its name; other errors stay as they are. */
export function toUnfit(file: LTXFileInfo, error: unknown): unknown {
  if (!isError(error) || !error.code.startsWith('LTX_') || error instanceof UnfitFile) return error;
  const message = `${describeFile(file)}: ${error.message}`;
  return new UnfitFile(error.code, message, [file], error);
}
