import { ReplicationError } from '../../error.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';

/** The file is not the one that was listed. */
export function fileChangedError(file: LTXFileInfo, sizeBytes: number): ReplicationError {
  return objectChangedError(describeFile(file), file.sizeBytes, sizeBytes);
}

/** The same, for any object. */
export function objectChangedError(
  name: string,
  listedBytes: number,
  sizeBytes: number,
): ReplicationError {
  return new ReplicationError(
    'REPLICA_CHANGED',
    `read ${name}: it was listed with ${listedBytes} bytes, but another file of ` +
      `${sizeBytes} bytes has its name now; list again`,
  );
}
