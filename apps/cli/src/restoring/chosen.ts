/** Describes the state that was chosen for a timestamp. Pure. */

import type { Moment } from '@sluice/core';
import { formatDuration } from '@sluice/core/config';
import { formatTXID } from '@sluice/core/ltx';

/** A sentence for people. */
export function describeMoment(moment: Moment): string {
  const { requested, at, next } = moment;
  const chosen = `the last state at or before ${requested.toISOString()} was written at ${at.toISOString()}`;
  if (next === undefined) return `${chosen}; nothing newer is stored there`;
  const resolutionMs = resolutionOf(moment) ?? 0;
  return (
    `${chosen}; the next one is TXID ${formatTXID(next.txid)}, written at ${next.at.toISOString()} ` +
    `(resolution there: ${formatDuration(resolutionMs)})`
  );
}

/** For -json. Without a timestamp, all values are undefined and left out. */
export function momentToJSON(moment: Moment | undefined): object {
  return {
    requested: moment?.requested.toISOString(),
    resolution_ms: moment === undefined ? undefined : resolutionOf(moment),
    next_txid: moment?.next && formatTXID(moment.next.txid),
    next_timestamp: moment?.next?.at.toISOString(),
    doubt: moment?.doubt,
  };
}

/** Time between the chosen state and the next one: commits between them cannot be told apart. */
function resolutionOf({ at, next }: Moment): number | undefined {
  return next === undefined ? undefined : Math.max(0, next.at.getTime() - at.getTime());
}
