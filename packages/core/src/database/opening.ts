/** Opens a database: its connections, the place in its log, and the proof of continuity. */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Random } from '../random.ts';
import type { WALHeader } from '../wal/header.ts';
import { WALReader } from '../wal/reader.ts';
import { Connections } from './sqlite/connections.ts';
import { isSameFile, type FileStamp } from './continuity/evidence.ts';
import {
  countLinks,
  descriptorOf,
  keepDescriptor,
  readEvidence,
  readStamp,
  releaseDescriptor,
  stampOf,
} from './continuity/file.ts';
import { checkFormerLog } from './continuity/former-log.ts';
import { FileGuard } from './continuity/guard.ts';
import type { Position } from './continuity/position.ts';
import { findReadFault, NO_LOG, proveContinuity } from './continuity/proof.ts';
import type { LogPlace } from '../wal/frame.ts';
import { LogFollower } from './follow.ts';
import type { DatabaseOptions } from './options.ts';
import type { StagedFile } from './staging/staging.ts';
import { Tail } from './cut/tail.ts';

export interface OpenDatabase {
  /** Its real path. SQLite keeps the WAL and the wal-index beside it. */
  readonly path: string;
  /** Descriptor for positioned reads of the database file. */
  readonly descriptor: number;
  /** Closes the descriptor. Call after the connections are closed, and only if the database will not be opened soon. */
  readonly release: () => void;
  /** Call after the connections are closed, if it may be opened soon: the descriptor stays open. */
  readonly keep: () => void;
  /** Number of hard links of the file. */
  readonly links: number;
  readonly connections: Connections;
  readonly wal: WALReader;
  readonly follower: LogFollower;
  readonly guard: FileGuard;
  /** Result of the proof of continuity. */
  readonly start: Start;
}

export type Start =
  | { readonly kind: 'proved'; readonly position: Position; readonly tail: Tail }
  | { readonly kind: 'unproved'; readonly why: string };

export interface OpeningInput {
  readonly options: DatabaseOptions;
  readonly kernel: Kernel;
  readonly position: Position | undefined;
  readonly newest: StagedFile | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether a wal-index of this database was lost while the database was followed. */
  readonly hasLostIndex: boolean;
  /** Default TAIL_BYTES_MAX. */
  readonly tailBytesMax?: number | undefined;
  /** Default TICK_BYTES_MAX. */
  readonly tickBytesMax?: number | undefined;
}

/** Opens the connections, begins the first read transaction, and tries to prove continuity. */
export function openDatabase(input: OpeningInput): OpenDatabase {
  const { options, kernel, position, clock } = input;
  const path = fs.realpathSync.native(options.path);
  const descriptor = descriptorOf(path);
  const wal = new WALReader(`${path}-wal`, kernel);
  let connections: Connections | undefined;
  try {
    checkFormerLog({ path, descriptor, position, wal, kernel });
    wal.close(); // until one of our connections has the WAL open, SQLite may delete and recreate it
    connections = new Connections(
      { path, busyTimeoutMs: options.busyTimeoutMs, clock },
      descriptor,
    );
    return inspect(input, { path, descriptor, connections, wal });
  } catch (error) {
    connections?.close('keep the log');
    wal.close();
    keepDescriptor(descriptor);
    throw error;
  }
}

interface Opened {
  readonly path: string;
  readonly descriptor: number;
  readonly connections: Connections;
  readonly wal: WALReader;
}

/** Call after the first read transaction began: from then on, no unread log is lost. */
function inspect(input: OpeningInput, opened: Opened): OpenDatabase {
  const { options, kernel } = input;
  const { path, descriptor, connections, wal } = opened;
  const { start, place, header, checkpointed, stamp } = prove(input, opened);
  const named = readStamp(path);
  if (named === undefined || !isSameFile(named, stamp)) {
    throw new ReplicationError(
      'DATABASE_REPLACED',
      `open ${path}: the file was replaced while it was being opened; Sluice will open it again`,
    );
  }
  const guard = new FileGuard({
    configured: options.path,
    path,
    descriptor,
    pageSize: connections.pageSize,
    kernel,
    wal,
    random: input.random,
    opened: stamp,
    openedLog: header,
    backfilled: checkpointed,
    log: place.header,
    held: place.frame,
    hasLostIndex: input.hasLostIndex,
    checkpoint: () => (connections.checkpoint('PASSIVE').busy ? 'busy' : 'done'),
    readLogState: () => connections.readLogState(),
  });
  addNewestFrames(guard, wal, place);
  const before = start.kind === 'proved' ? 'known' : 'unknown';
  const follower = new LogFollower(connections, wal, place, before, input.tickBytesMax);
  const links = countLinks(path);
  const release = (): void => releaseDescriptor(descriptor);
  const keep = (): void => keepDescriptor(descriptor);
  return { path, descriptor, release, keep, links, connections, wal, follower, guard, start };
}

/** The newest frames are few, and an older copy of the file lacks at least one of them. */
const NEWEST_FRAMES_MAX = 64;

/**
 * Shows the guard the newest frames that an earlier process read. Otherwise a checkpoint of them would
 * explain any other write to the file before the next check.
 */
function addNewestFrames(guard: FileGuard, wal: WALReader, { header, frame }: LogPlace): void {
  if (header === undefined || frame === 0) return;
  const first = Math.max(1, frame - NEWEST_FRAMES_MAX + 1);
  const before = first === 1 ? header : wal.readFrameHeader(first - 1, header);
  if (before === undefined) return;
  for (const batch of wal.readFrames(header, first, frame, before.checksum)) guard.addHeld(batch);
}

interface Proof {
  readonly start: Start;
  /** End of the held part of the log. */
  readonly place: LogPlace;
  /** The log, its backfilled frames, and the file, read in this order. */
  readonly header: WALHeader | undefined;
  readonly checkpointed: number;
  readonly stamp: FileStamp;
}

function prove(input: OpeningInput, opened: Opened): Proof {
  const { position, kernel } = input;
  const { connections, wal, descriptor } = opened;
  const header = wal.readHeader();
  const { log, checkpointed } = connections.readLogState();
  const file = readEvidence(descriptor, kernel);
  const stamp = file ?? stampOf(descriptor);
  const seen = { header, checkpointed: Math.max(0, checkpointed), stamp };
  const unproved = (why: string): Proof => ({
    start: { kind: 'unproved', why },
    place: NO_LOG,
    ...seen,
  });
  const continuity = proveContinuity({
    position,
    newestStaged: input.newest?.maxTXID,
    pageSize: connections.pageSize,
    file,
    header,
    log,
    frame:
      position === undefined || header === undefined
        ? undefined
        : wal.readFrameHeader(position.frame, header),
  });
  if (!continuity.proved) return unproved(continuity.why);
  const tail = new Tail();
  let place = continuity.from;
  if (place.header !== undefined) {
    for (const batch of wal.readFrames(place.header, place.frame + 1, log, place.checksum)) {
      tail.add(batch, input.tailBytesMax);
      place = { ...place, frame: place.frame + batch.count, checksum: batch.checksum };
    }
  }
  const after = connections.readLogState();
  const fault = findReadFault({
    log,
    read: place.frame,
    headerBefore: header,
    headerAfter: wal.readHeader(),
    isSpilled: tail.isSpilled,
    logAfter: after.log,
    checkpointedAfter: after.checkpointed,
  });
  if (fault !== undefined) return unproved(fault);
  const start = { kind: 'proved', position: continuity.position, tail } as const;
  return { start, place, ...seen };
}
