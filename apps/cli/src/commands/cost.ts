/** sluice cost: what a month of backups costs at each destination, from observed or given rates. */

import type { Arguments } from '../args.ts';
import { costOf, sizeOf } from '../costing/cost-of.ts';
import { readCostFlags } from '../costing/flags.ts';
import { costingToJSON, describeCosting, type Costing } from '../costing/text.ts';
import { Destinations } from '../destinations.ts';
import { visitEach } from '../each-destination.ts';
import { createLogger } from '../log.ts';
import { select } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const flags = readCostFlags(args);
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const { database, destinations } = await select(args, shell);
  const fileBytes = await sizeOf(database);
  const context = { flags, fileBytes, database };
  const rows: Costing[] = [];
  await using connections = new Destinations(logger, 'read');
  const exitCode = await visitEach(destinations, logger, async (destination, signal) => {
    rows.push(await costOf(destination, connections, { ...context, signal }));
  });
  if (args.has('json')) printJSON(shell, rows.map(costingToJSON));
  else for (const row of rows) shell.stdout.write(`${describeCosting(row).join('\n')}\n`);
  return exitCode;
}
