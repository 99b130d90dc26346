/** sluice databases */

import type { Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import { printTable } from '../table.ts';

export async function run(args: Arguments): Promise<number> {
  const { databases } = await loadConfig(args);
  if (args.has('json')) {
    const rows = databases.map(({ options, destinations }) => ({
      path: options.path,
      replica: destinations[0]?.type,
      replicas: destinations.map(({ name, type, target }) => ({ name, type, target })),
    }));
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return 0;
  }
  const rows = databases.flatMap(({ options, destinations }) =>
    destinations.map(({ name, target }) => [options.path, name, target]),
  );
  printTable(['path', 'replica', 'target'], rows);
  return 0;
}
