/** One staged file to one destination. */

import type { FileSystem } from '../file-system.ts';
import { type FencedReplica, Fencing, writeFenced } from '../replica/fencing.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import type { Capabilities } from '../store/client.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { SentRecord } from './admission.ts';
import { bodyAs } from './bodies.ts';
import type { SeedSource } from './next.ts';
import type { SharedReads } from './shared-reads.ts';

export interface OpenReplica {
  readonly client: ReplicaFiles;
  readonly capabilities: Capabilities;
  /** What is known of its conditional writes; one for all replicas of a destination. */
  readonly fencing?: Fencing | undefined;
  /** The same files, whose conflicts come as they are: without it fencing is not proved. */
  readonly unsettled?: ReplicaFiles | undefined;
}

/** Where nobody brings it along, what is known of a destination is known of this replica only. */
export function withFencing(replica: OpenReplica): FencedReplica {
  return { ...replica, fencing: replica.fencing ?? new Fencing() };
}

/** A file that was written. */
export interface Written {
  readonly info: LTXFileInfo;
  readonly sent: SentRecord;
  readonly pageSize: number;
}

export interface Sending {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
  readonly files: FileSystem;
  readonly reads: SharedReads;
  readonly onBytes: () => void;
  /** Something about the conditional writes of the destination was found out. */
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * A file of any level is written only where nobody wrote it before, as far as the destination can say:
 * a writer that was fenced out replaces neither increments nor snapshots. 'gone' where the staged file was freed before it was sent: a laggard's, beyond what may be staged.
 */
export async function sendFile(
  replica: FencedReplica,
  { ref, source, files, reads, onBytes, onFound, signal }: Sending,
): Promise<Written | 'gone'> {
  try {
    using whole = await reads.read(source);
    const { body, checksum, header } = await bodyAs(ref, source, {
      files,
      whole: whole?.bytes,
      onBytes,
    });
    const info = await writeFenced(replica, { file: ref, body, onFound, signal });
    const { nodeID: lineage, pageSize } = header;
    const sent = { txid: ref.maxTXID, sizeBytes: body.sizeBytes, checksum, lineage };
    return { info, sent, pageSize };
  } catch (error) {
    if (signal.aborted || (await isThere(files, source.path))) throw error;
    return 'gone';
  }
}

/** True where it cannot be seen: then the error that led here is the one to report. */
async function isThere(files: FileSystem, path: string): Promise<boolean> {
  try {
    return (await files.stat(path)) !== undefined;
  } catch {
    return true;
  }
}
