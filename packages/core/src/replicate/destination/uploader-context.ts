/** What an uploader is given. */

import type { Clock } from '../../clock.ts';
import type { RetentionPolicy } from '../../history/retention-policy.ts';
import type { Random } from '../../random.ts';
import type { EmptyRoot } from '../../store/client.ts';
import type { Logger } from '../../store/backend.ts';
import type { Backlog, StagedSnapshot } from '../backlog.ts';
import type { Compactor } from '../levels/compactor.ts';
import type { Ownership } from '../ownership/ownership.ts';
import type { SentRecord } from './admission.ts';
import type { SharedReads } from './bodies.ts';
import type { NextStep } from './next.ts';
import type { SealerContext } from './sealer.ts';
import type { OpenReplica } from './sender.ts';

/** Input of an uploader: its destination, the staged files, and callbacks. */
export interface UploaderContext extends SealerContext {
  /** What a scrub found damaged there and could not mend. */
  readonly damage?: (() => string | undefined) | undefined;
  readonly name: string;
  /** Type of the destination, such as "s3" or "file". */
  readonly type: string;
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  /** What is kept there; undefined: everything. */
  readonly retention?: RetentionPolicy | undefined;
  /** Time between uploads, if it is longer than that of the database. */
  readonly syncIntervalMs?: number | undefined;
  /** Time between two files of the database. */
  readonly databaseIntervalMs: number;
  /** Time between full snapshots. */
  readonly snapshotIntervalMs: number;
  readonly backlog: Backlog;
  /** Reads of staged files, shared by all destinations of the database. */
  readonly reads: SharedReads;
  /** Keeps the destination to one writer; undefined: nothing does. */
  readonly ownership?: Ownership | undefined;
  /** How many databases this process replicates. Default: this one. */
  readonly databases?: (() => number) | undefined;
  /** Whether the backlog is known. Before that, `admit` cannot classify a destination. */
  readonly knowsBacklog: () => boolean;
  /** Whether it is decided how replication begins. Nothing is sent before that. */
  readonly mayBegin: () => boolean;
  readonly head: () => bigint;
  readonly snapshot: () => StagedSnapshot | undefined;
  /** The merged files. After each merge the uploader is woken. */
  readonly merged: Pick<Compactor, 'staged' | 'topLevel' | 'endWindows'>;
  /** A staged file no longer exists. */
  readonly onGone: (path: string) => void;
  readonly record: () => SentRecord | undefined;
  /** What it means if the destination is a folder that is empty and has lost its marker. */
  readonly emptyRoot: () => EmptyRoot | undefined;
  /** See ListerContext. */
  readonly onListed?: ((found: 'files' | 'nothing') => Promise<void>) | undefined;
  readonly onImageNeeded: (need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }) => void;
  /** The position, the state or the last sent file changed. */
  readonly onChange: (change: { sent?: SentRecord }) => void;
  /** Whether an image or a snapshot was requested or is being made. */
  readonly isMakingImage: () => boolean;
  /** Maximum time without progress during a drain. */
  readonly hangMs: number;
  /** See SenderContext. */
  readonly copyBytesMin?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
