import { ReplicationError } from '../error.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';

/** What was listed is not what has the name now. */
export function changed(file: LTXFileInfo, sizeBytes: number): ReplicationError {
  return new ReplicationError(
    'REPLICA_CHANGED',
    `read ${describeFile(file)}: listed with ${file.sizeBytes} bytes, now another file of ` +
      `${sizeBytes} bytes has its name; list again`,
  );
}
