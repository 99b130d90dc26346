/** How a database is opened: connections, the place in its log, and what is proved about it. */

import type { Clock } from '../clock.ts';
import { assert } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { isSameLog } from '../wal/header.ts';
import { WALReader } from '../wal/reader.ts';
import { Connections } from './connections.ts';
import { descriptorOf } from './descriptor.ts';
import { LogFollower, type LogPlace } from './follow.ts';
import type { DatabaseOptions } from './options.ts';
import { proveContinuity, type Position } from './position.ts';
import type { StagedFile } from './staging.ts';
import { Tail } from './tail.ts';

export interface OpenDatabase {
  readonly connections: Connections;
  readonly wal: WALReader;
  readonly follower: LogFollower;
  /** What is proved to follow the newest staged file, or why nothing is. */
  readonly start:
    | { readonly kind: 'proved'; readonly position: Position; readonly tail: Tail }
    | { readonly kind: 'unproved'; readonly why: string };
}

export interface OpeningInput {
  readonly options: DatabaseOptions;
  readonly kernel: Kernel;
  readonly position: Position | undefined;
  readonly newest: StagedFile | undefined;
  readonly clock: Clock;
}

/** Opens connections, of which a reader has begun, and looks for the proof (a) to (c) of continuity. */
export function openDatabase(input: OpeningInput): OpenDatabase {
  const { options, kernel } = input;
  const connections = new Connections(options, descriptorOf(options.path));
  const wal = new WALReader(`${options.path}-wal`, kernel);
  try {
    const proof = prove(input, connections, wal);
    if (typeof proof !== 'string') {
      const follower = new LogFollower(connections, wal, proof.place);
      return { connections, wal, follower, start: { kind: 'proved', ...proof } };
    }
    const nowhere: LogPlace = { header: undefined, frame: 0, checksum: { s0: 0, s1: 0 } };
    const follower = new LogFollower(connections, wal, nowhere);
    return { connections, wal, follower, start: { kind: 'unproved', why: proof } };
  } catch (error) {
    connections.close();
    wal.close();
    throw error;
  }
}

function prove(
  input: OpeningInput,
  connections: Connections,
  wal: WALReader,
): { position: Position; tail: Tail; place: LogPlace } | string {
  const { position } = input;
  const header = wal.readHeader();
  const { log } = connections.ask();
  const continuity = proveContinuity({
    position,
    newestStaged: input.newest?.maxTXID,
    pageSize: connections.pageSize,
    header,
    log,
    frame:
      position === undefined || header === undefined
        ? undefined
        : wal.readFrameHeader(position.frame, header),
  });
  if (!continuity.proved) return continuity.why;
  assert(position !== undefined && header !== undefined, 'a proof has a position and a header');
  const tail = new Tail(input.clock);
  let place: LogPlace = { header, frame: position.frame, checksum: position.checksum };
  for (const batch of wal.readFrames(header, position.frame + 1, log, position.checksum)) {
    tail.add(batch);
    place = { header, frame: place.frame + batch.count, checksum: batch.checksum };
  }
  // The reader may have landed on lock 0, and a writer restarted the log while we read it.
  if (place.frame !== log || !isSameLog(header, wal.readHeader())) {
    return 'the log restarted while it was read';
  }
  return { position, tail, place };
}
