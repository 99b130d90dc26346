/** Where a database stands that is followed: the position that its newest staged file would have now. */

import fs from 'node:fs';
import { isSettled } from './continuity/evidence.ts';
import { toPosition, type Position, type Staged } from './continuity/position.ts';
import type { TakeFrames, Tick } from './follow.ts';
import type { OpenDatabase } from './opening.ts';

export interface StandingInput {
  readonly database: OpenDatabase;
  /** The newest staged file: all that is held is in it. */
  readonly newest: Staged;
  /** The last look, since which nothing was held. */
  readonly tick: Tick;
  readonly take: TakeFrames;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** undefined while something moves: then it is asked again later. */
export function describeStanding(input: StandingInput): Position | undefined {
  const { database, newest, tick } = input;
  const { guard, follower } = database;
  if (tick.kind !== 'held' || tick.held !== tick.log) return undefined;
  const { place } = follower;
  const file = guard.evidence();
  if (file === undefined) return undefined;
  if (tick.checkpointed !== tick.log) return toPosition(newest, place, { file, atRest: false });
  // After a power loss the file must not be older than its times say: an application may not sync it.
  fs.fsyncSync(database.descriptor);
  const atRest = isSettled(file, input.now) && isStill(input);
  return atRest ? toPosition(newest, place, { file, atRest }) : undefined;
}

/** Nothing was committed or backfilled since the last look: so nothing was while the file was looked at. */
function isStill({ database, tick, take }: StandingInput): boolean {
  const { follower } = database;
  const { header } = follower.place;
  const again = follower.tick(take);
  return (
    again.kind === 'held' &&
    again.fresh === 0 &&
    again.log === tick.log &&
    again.checkpointed === tick.checkpointed &&
    follower.place.header === header
  );
}
