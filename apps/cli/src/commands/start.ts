/** sluice start: lets the running replicator replicate a database again that was stopped. */

import type { Arguments } from '../args.ts';
import type { DatabasesInput, StartAnswer } from '../controlling/answers.ts';
import { namedDatabase, readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const path = namedDatabase(args);
  const timeoutMs = readTimeoutMs(args, 'sync');
  const input: DatabasesInput = { path };
  const answer = await askProcess<StartAnswer>(
    args,
    shell,
    { command: 'start', input, timeoutMs },
    path,
  );
  if (args.has('json')) printJSON(shell, answer);
  else shell.stdout.write(`${path}: ${answer.status === 'started' ? 'started' : 'runs already'}\n`);
  return EXIT_CODES.ok;
}
