/** Describes the state that was restored, and what became of the file it replaced. Pure. */

import {
  describeHolders,
  type Moment,
  type OutputOwner,
  type RestoreReport,
  type Resumed,
  type RestoreV03Report,
} from '@sluice/core';
import { formatBytes, formatDuration } from '@sluice/core/config';
import { formatTXID } from '@sluice/core/ltx';

/** Lines for people, each after a line break. */
export function describeDetails(report: RestoreReport | RestoreV03Report): string {
  const { kept, keptWAL, owner, stillOpenIn } = report;
  const moment = 'moment' in report ? report.moment : undefined;
  const resumed = 'resumed' in report ? report.resumed : undefined;
  const lines = [
    resumed && describeResumed(resumed),
    moment && describeMoment(moment),
    kept && `the file that it replaced is now ${kept}; delete it when it is no longer needed`,
    keptWAL &&
      `a process had it open: ${keptWAL} belongs to it; stop the process before you open or move them`,
    owner && `it belongs to user ${owner.uid} and group ${owner.gid}, like ${OWNERS[owner.like]}`,
    stillOpenIn.length === 0
      ? undefined
      : `${describeHolders(stillOpenIn)} had the replaced file open, and does not see this one: restart it`,
  ];
  return lines
    .filter((line) => line !== undefined)
    .map((line) => `\n${line}`)
    .join('');
}

function describeResumed({ keptBytes, discardedFiles }: Resumed): string | undefined {
  if (keptBytes > 0) {
    return `an interrupted restore was continued: ${formatBytes(keptBytes)} had been downloaded before`;
  }
  if (discardedFiles === 0) return undefined;
  return 'the restore began anew: the files of an interrupted one are not part of this state';
}

const OWNERS: Readonly<Record<OutputOwner['like'], string>> = {
  folder: 'its folder',
  'replaced file': 'the file that it replaced',
};

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
