/** Logs the final report: which destinations have everything, and why others do not. */

import type { DatabaseReport, Stage, SyncReport } from '@sluice/core';
import { loggerFor } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { EXIT_CODES, type ExitName } from '../exit-codes.ts';

const DATABASE_STAGES: readonly Stage[] = ['database', 'thread', 'look', 'staging'];

/** Exit codes by the stage of the problems in the last sync. The first match counts. */
const EXIT_OF_STAGE: readonly (readonly [ExitName, readonly Stage[]])[] = [
  ['database', DATABASE_STAGES],
  ['behind', ['send', 'snapshot']],
  ['failed', ['image', 'record', 'state file']],
];

export function logReport({ databases }: SyncReport, logger: Logger): void {
  for (const database of databases) logDatabase(database, loggerFor(logger, database.path));
}

function logDatabase(database: DatabaseReport, logger: Logger): void {
  const { absence, destinations, error, problems, txid } = database;
  if (error !== undefined) logger.error(error.message, { code: error.code });
  if (absence !== undefined && txid === undefined) {
    const what = absence === 'empty' ? 'the database is empty' : 'the database does not exist';
    if (problems.length > 0) logger.error(`${what}: nothing was sent; check its path`);
    else logger.info(`${what}, and was not created while Sluice waited`);
    return;
  }
  for (const { destination, message } of problems) {
    if (destination === undefined && message !== error?.message) logger.error(message);
  }
  for (const { name, target, complete, cause, txid: reached } of destinations) {
    const fields = { target, txid: reached, of: txid };
    if (complete === 'complete') logger.info(`${name} has everything`, fields);
    else {
      const why = cause?.message ?? 'the cause is unknown';
      logger.error(`${name} is behind: ${why}`, { ...fields, code: cause?.code });
    }
  }
}

/**
 * A database that could not be replicated outweighs a destination that belongs to another replicator,
 * and that outweighs destinations that are behind.
 */
export function exitCodeOfReport({ databases }: SyncReport): number {
  const stages = new Set(databases.flatMap(({ problems }) => problems.map(({ stage }) => stage)));
  const isBehind = databases.some(
    ({ txid, destinations }) =>
      txid !== undefined && destinations.some(({ complete }) => complete === 'behind'),
  );
  const isFenced = databases.some(({ destinations }) =>
    destinations.some(({ cause }) => cause?.code === 'REPLICA_IN_USE'),
  );
  if (isFenced && !DATABASE_STAGES.some((stage) => stages.has(stage))) return EXIT_CODES.fenced;
  if (isBehind) stages.add('send');
  const met = EXIT_OF_STAGE.find(([, of]) => of.some((stage) => stages.has(stage)));
  return EXIT_CODES[met?.[0] ?? 'ok'];
}
