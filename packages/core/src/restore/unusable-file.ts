/** An error that names the files without which a restore may still succeed. */

import { isError, ReplicationError, type ErrorCode } from '../error.ts';
import type { LTXFileInfo } from '../replica/client.ts';
import { describeFile } from '../replica/describe.ts';

export class UnusableFileError extends ReplicationError {
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
export function toUnusableFileError(file: LTXFileInfo, error: unknown): unknown {
  if (!isError(error) || !error.code.startsWith('LTX_') || error instanceof UnusableFileError)
    return error;
  const message = `${describeFile(file)}: ${error.message}`;
  return new UnusableFileError(error.code, message, [file], error);
}
