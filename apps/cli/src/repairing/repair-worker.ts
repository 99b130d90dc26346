/** The process of one repair that a command has ordered: reads the configuration again, repairs one database, and answers. */

import { databaseAt } from '../select.ts';
import { Destinations } from '../destinations.ts';
import { changedError, readConfigAgain, serveTask, type Task } from '../tasks/serve-task.ts';
import { describeRepair, exitCodeOfRepairs, repairToJSON, summarizeRepair } from './describe.ts';
import type { RepairAnswer, RepairOrder, RepairProgress } from './order.ts';
import { repairOne } from './repair-one.ts';

serveTask<RepairAnswer, RepairProgress>(async (order, task) =>
  repairByOrder(order as RepairOrder, task),
);

async function repairByOrder(
  { config, database: path, mode, read }: RepairOrder,
  { secrets, logger, report: onProgress }: Task<RepairProgress>,
): Promise<RepairAnswer> {
  const database = databaseAt(await readConfigAgain(config, secrets), path);
  if (database === undefined) throw changedError(config, `repair ${path}`, 'this database');
  await using connections = new Destinations(logger, mode === 'mend' ? 'write' : 'read');
  const { signal } = new AbortController(); // the replicator kills this process instead
  const request = { mode, read, connections, logger, onProgress, signal };
  const repaired = await repairOne(database, request);
  return {
    json: JSON.parse(secrets.clean(JSON.stringify(repairToJSON(repaired)))) as object,
    text: secrets.clean(describeRepair(repaired)),
    summary: summarizeRepair(repaired),
    exit_code: exitCodeOfRepairs([repaired]),
  };
}
