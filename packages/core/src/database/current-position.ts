/** Computes the position that the newest staged file of a followed database would have now. */

import fs from 'node:fs';
import { isSettled } from './continuity/evidence.ts';
import { toPosition, type Position, type Staged } from './continuity/position.ts';
import type { TakeFrames, Tick } from './follow.ts';
import type { OpenDatabase } from './opening.ts';

export interface CurrentPositionInput {
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
export function readCurrentPosition(input: CurrentPositionInput): Position | undefined {
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
