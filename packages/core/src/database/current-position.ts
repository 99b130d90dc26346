/** The position that the newest staged file of a followed database would have now, and its updates. */

import fs from 'node:fs';
import type { Clock } from '../clock.ts';
import { isSettled } from './continuity/evidence.ts';
import { isSamePosition, toPosition, type Position, type Staged } from './continuity/position.ts';
import type { Cutter } from './cut/cutter.ts';
import type { TakeFrames, Tick } from './follow.ts';
import type { OpenDatabase } from './opening.ts';

/** Minimum time between rewrites of the position after checkpoints. Each costs two fsyncs. */
const REFRESH_EVERY_MS = 500;

export interface PositionContext {
  readonly database: OpenDatabase;
  readonly cutter: Cutter;
  readonly clock: Clock;
  readonly host: {
    readonly lastTick: Tick | undefined;
    readonly isImaging: boolean;
    readonly take: TakeFrames;
  };
}

/**
 * Keeps the position of the newest staged file up to date. A checkpoint changes the evidence of the file, and with
 * an old position the next start proves nothing.
 */
export class CurrentPosition {
  readonly #context: PositionContext;
  #nextRefreshAt = 0;
  /** The position that was refreshed last, and the state of log and file that it describes. */
  #refreshed: { readonly seen: string; readonly position: Position } | undefined;

  constructor(context: PositionContext) {
    this.#context = context;
  }

  refresh(): void {
    const { clock, cutter, database, host } = this.#context;
    const now = clock.monotonic();
    if (cutter.head === undefined || now < this.#nextRefreshAt) return;
    this.#nextRefreshAt = now + REFRESH_EVERY_MS;
    const { publisher, newest } = cutter;
    const { log, checkpointed } = host.lastTick ?? {};
    const { changedNs, sizeBytes } = database.guard.verifiedStamp;
    const seen = [newest?.txid, log, checkpointed, changedNs, sizeBytes].join();
    const before = this.#refreshed;
    // An idle database costs no fsync.
    if (seen === before?.seen && isSamePosition(publisher.stored, before.position)) return;
    const position = this.read();
    if (position === undefined) return;
    publisher.position(position);
    this.#refreshed = { seen, position };
  }

  /** undefined if something held is not staged, or while the log or the file is changing. */
  read(): Position | undefined {
    const { clock, cutter, database, host } = this.#context;
    const { newest } = cutter;
    const { isImaging, lastTick: tick, take } = host;
    if (newest === undefined || tick === undefined || isImaging) return undefined;
    return readCurrentPosition({ database, newest, tick, take, now: clock.now() });
  }
}

interface CurrentPositionInput {
  readonly database: OpenDatabase;
  /** The newest staged file. It contains everything held. */
  readonly newest: Staged;
  /** The last look. No frame was read since. */
  readonly tick: Tick;
  readonly take: TakeFrames;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Returns undefined while the log or the file is changing; then try again later. */
function readCurrentPosition(input: CurrentPositionInput): Position | undefined {
  const { database, newest, tick } = input;
  const { guard, follower } = database;
  if (tick.kind !== 'held' || tick.held !== tick.log) return undefined;
  const { place } = follower;
  const file = guard.evidence();
  if (file === undefined) return undefined;
  if (tick.checkpointed !== tick.log) return toPosition(newest, place, { file, atRest: false });
  // After a power loss the contents must match the recorded times, even if the application does not sync.
  fs.fsyncSync(database.descriptor);
  const atRest = isSettled(file, input.now) && isUnchanged(input);
  return atRest ? toPosition(newest, place, { file, atRest }) : undefined;
}

/** Whether nothing was committed or backfilled since the last look, and so while the file was checked. */
function isUnchanged({ database, tick, take }: CurrentPositionInput): boolean {
  const { follower } = database;
  const { header } = follower.place;
  const next = follower.tick(take);
  return (
    next.kind === 'held' &&
    next.fresh === 0 &&
    next.log === tick.log &&
    next.checkpointed === tick.checkpointed &&
    follower.place.header === header
  );
}
