/** An error that names the files without which a restore may still succeed. */

import { ReplicationError, type ErrorCode } from '../error.ts';
import type { LTXFileInfo } from '../replica/client.ts';

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
