/** sluice version */

import type { Arguments } from '../args.ts';
import { printJSON, type Shell } from '../shell.ts';
import { readDetails, readVersion } from '../version.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const version = await readVersion();
  const more = args.has('verbose') ? await readDetails() : {};
  if (args.has('json')) printJSON(shell, { version, ...more });
  else {
    const lines = Object.entries(more).map(([name, value]) => `${name} ${value}`);
    shell.stdout.write(`${[version, ...lines].join('\n')}\n`);
  }
  return 0;
}
