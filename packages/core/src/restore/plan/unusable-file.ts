/** An error that names files; without them a restore may still succeed. */

import { type ErrorCode, isError, ReplicationError } from '../../error.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';

export class UnusableFileError extends ReplicationError {
  /** Leave out one of these: the most likely culprit first. */
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

/** Adds the file's name to an error about its bytes; returns other errors unchanged. */
export function toUnusableFileError(file: LTXFileInfo, error: unknown): unknown {
  if (!isError(error) || error instanceof UnusableFileError) return error;
  // Also of an encrypted file whose first bytes are damaged.
  if (!error.code.startsWith('LTX_') && error.code !== 'REPLICA_NO_IDENTITY') return error;
  const message = `${describeFile(file)}: ${error.message}`;
  return new UnusableFileError(error.code, message, [file], error);
}
