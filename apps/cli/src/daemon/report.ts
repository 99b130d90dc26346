/** How it ended: who has everything, and who has not and why. */

import type { DatabaseReport, SyncReport } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { EXIT_CODES } from '../exit-codes.ts';

export interface Ending {
  readonly report: SyncReport;
  /** Paths of databases that are missing or empty: they have nothing that could be behind. */
  readonly absent: ReadonlySet<string>;
  readonly mode: 'once' | 'until-stopped';
}

export function tellEnding({ report, absent, mode }: Ending, logger: Logger): void {
  for (const database of report.databases) {
    const { path, error } = database;
    if (error !== undefined) logger.error(`${path}: ${error.message}`, { code: error.code });
    if (!isAbsent(database, absent)) tellDestinations(database, logger);
    else if (mode === 'once') logger.error(`${path} does not exist, or is empty: nothing was sent`);
    else logger.info(`${path} was waited for, and did not come`);
  }
}

function tellDestinations({ path, txid, destinations }: DatabaseReport, logger: Logger): void {
  for (const { name, target, complete, cause, txid: reached } of destinations) {
    const fields = { target, txid: reached, of: txid };
    if (complete === 'complete') logger.info(`${path}: ${name} has everything`, fields);
    else {
      const why = cause?.message ?? 'for no known cause';
      logger.error(`${path}: ${name} is behind: ${why}`, { ...fields, code: cause?.code });
    }
  }
}

/** A database that could not be followed outweighs destinations that are behind. */
export function exitCodeOfEnding({ report, absent, mode }: Ending): number {
  const there = report.databases.filter((database) => !isAbsent(database, absent));
  const isMissed = mode === 'once' && there.length < report.databases.length;
  if (isMissed || there.some(({ error }) => error !== undefined)) return EXIT_CODES.database;
  const isComplete = there.every(({ destinations }) =>
    destinations.every(({ complete }) => complete === 'complete'),
  );
  return isComplete ? EXIT_CODES.ok : EXIT_CODES.behind;
}

/** One that was sent and is gone now is not: what it had must be there. */
function isAbsent({ path, txid }: DatabaseReport, absent: ReadonlySet<string>): boolean {
  return txid === undefined && absent.has(path);
}
