/** sluice generations: lists the backups of Litestream 0.3 at destinations. If one fails, the others are still listed. */

import { listGenerations, type Generation } from '@sluice/core';
import type { Arguments } from '../args.ts';
import type { DestinationConfig } from '../config/model.ts';
import { Destinations } from '../destinations.ts';
import { namesOf, visitEach } from '../each-destination.ts';
import { createLogger } from '../log.ts';
import { select } from '../select.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

interface Row {
  readonly destination: DestinationConfig;
  readonly generation: Generation;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { secrets, stderr } = shell;
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const { destinations } = await select(args, shell);
  await using connections = new Destinations(logger, 'read');
  const rows: Row[] = [];
  const exitCode = await visitEach(destinations, logger, async (destination, signal) => {
    const { client } = await connections.connect(destination, signal);
    const generations = await listGenerations(client, destination.path, { signal });
    rows.push(...generations.map((generation) => ({ destination, generation })));
  });
  if (rows.length === 0 && exitCode === 0) {
    const where = namesOf(destinations);
    logger.warn(`there is no backup of Litestream 0.3 at ${where}; "sluice ltx" lists LTX files`);
  }
  if (args.has('json')) printJSON(shell, rows.map(toJSON));
  else {
    const columns = ['replica', 'generation', 'snapshots', 'segments', 'size', 'start', 'end'];
    printTable(shell, columns, rows.map(toCells));
  }
  return exitCode;
}

function toCells(row: Row): string[] {
  return Object.values(toJSON(row)).map(String);
}

/** Litestream 0.3 prints the replica, the generation, and its first and last upload. */
function toJSON({ destination, generation }: Row): object {
  const { id, snapshots, segments, createdAt, updatedAt } = generation;
  const size = [...snapshots, ...segments].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    replica: destination.name,
    generation: id,
    snapshots: snapshots.length,
    segments: segments.length,
    size,
    start: createdAt.toISOString(),
    end: updatedAt.toISOString(),
  };
}
