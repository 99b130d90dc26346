/** sluice completion: prints a completion script for a shell. */

import { usageError, type Arguments } from '../args.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { renderCompletion, SHELLS } from '../packaging/completion.ts';
import type { Shell } from '../shell.ts';
import { COMMANDS } from '../surface/commands.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const [given] = args.positionals;
  const name = SHELLS.find((each) => each === given);
  if (name === undefined) {
    const what = given === undefined ? 'name a shell' : `"${given}" is not a shell that it knows`;
    throw usageError(args.command, `${what}: ${SHELLS.join(', ')}`);
  }
  shell.stdout.write(renderCompletion(name, COMMANDS));
  return EXIT_CODES.ok;
}
