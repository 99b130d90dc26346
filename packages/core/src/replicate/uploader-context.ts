/** What an uploader is given: its destination, what is staged, and whom it tells. */

import type { Clock } from '../clock.ts';
import type { FileSystem } from '../file-system.ts';
import type { Random } from '../random.ts';
import type { Logger } from '../store/backend.ts';
import type { SentRecord } from './admission.ts';
import type { Backlog, StagedSnapshot } from './backlog.ts';
import type { NextStep } from './next.ts';
import type { OpenReplica } from './sending.ts';
import type { SharedReads } from './shared-reads.ts';

/** What an uploader knows of the database it serves. */
export interface UploaderContext {
  readonly name: string;
  /** Which kind of destination: s3, file. */
  readonly type: string;
  /** For messages; holds no secret. */
  readonly target: string;
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  readonly backlog: Backlog;
  /** Of staged files, shared by all destinations of the database. */
  readonly reads: SharedReads;
  /** Whether the backlog is known: before that it cannot be said whose a destination is. */
  readonly knowsBacklog: () => boolean;
  /** Nothing is sent before this says so: how the history goes on must be known first. */
  readonly mayBegin: () => boolean;
  readonly head: () => bigint;
  readonly snapshot: () => StagedSnapshot | undefined;
  /** A staged file was found to be gone. */
  readonly onGone: (path: string) => void;
  readonly record: () => SentRecord | undefined;
  readonly onNeed: (need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }) => void;
  /** Something changed that others may look at: position, state, what is recorded as sent. */
  readonly onChange: (change: { sent?: SentRecord }) => void;
  /** Whether an image or a snapshot is being made, or is asked for. */
  readonly isMakingImage: () => boolean;
  /** For so long a try may move no byte while somebody waits. */
  readonly hangMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly logger: Logger;
}
