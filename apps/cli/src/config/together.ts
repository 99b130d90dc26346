/** Whether databases that were not read from one file can be replicated together. */

import { findClashes, type PlacedDatabase } from './clashes.ts';
import type { DatabaseConfig } from './model.ts';
import { findOverlaps } from './overlaps.ts';
import { Problems } from './problems.ts';

/** CONFIG_INVALID if two of them have the same place, or one is inside another's. `source`: for the message. */
export function checkTogether(databases: readonly DatabaseConfig[], source: string): void {
  const problems = new Problems();
  const placed = databases.map(toPlaced);
  findClashes(placed, problems);
  findOverlaps(placed, problems);
  problems.throwAny(source, undefined);
}

function toPlaced(config: DatabaseConfig): PlacedDatabase {
  const path = [config.options.path];
  const replicas = config.destinations.map((destination) => {
    const { name } = destination;
    return { destination, name, path: [...path, name] };
  });
  return { config, path, replicas };
}
