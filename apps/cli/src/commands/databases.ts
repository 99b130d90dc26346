/** sluice databases */

import type { Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import { printJSON, printTable, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { databases } = await loadConfig(args, shell);
  if (args.has('json')) {
    printJSON(
      shell,
      databases.map(({ options, destinations }) => ({
        path: options.path,
        replica: destinations[0]?.type,
        destinations: destinations.map(({ name, type, target }) => ({ name, type, target })),
      })),
    );
    return 0;
  }
  printTable(
    shell,
    ['path', 'replica', 'target'],
    databases.flatMap(({ options, destinations }) =>
      destinations.map(({ name, target }) => [options.path, name, target]),
    ),
  );
  return 0;
}
