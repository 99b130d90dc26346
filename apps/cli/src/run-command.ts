/** Runs one command: parses its arguments and returns its exit code. */

import { isError } from '@sluice/core/backend';
import { parseArguments, type Arguments } from './args.ts';
import { describeError } from './describe-error.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { exitCodeOf } from './exit-of-error.ts';
import { helpOf } from './help.ts';
import { Interrupted } from './interrupt.ts';
import type { Shell } from './shell.ts';
import type { Command } from './surface/command.ts';

type Run = (args: Arguments, shell: Shell) => Promise<number>;

/** Commands are loaded on demand. */
const RUNS: Readonly<Record<string, () => Promise<{ run: Run }>>> = {
  replicate: () => import('./commands/replicate.ts'),
  restore: () => import('./commands/restore.ts'),
  promote: () => import('./commands/promote.ts'),
  history: () => import('./commands/history.ts'),
  cost: () => import('./commands/cost.ts'),
  drill: () => import('./commands/drill.ts'),
  repair: () => import('./commands/repair.ts'),
  init: () => import('./commands/init.ts'),
  migrate: () => import('./commands/migrate.ts'),
  config: () => import('./commands/config.ts'),
  databases: () => import('./commands/databases.ts'),
  ltx: () => import('./commands/ltx.ts'),
  rekey: () => import('./commands/rekey.ts'),
  decrypt: () => import('./commands/decrypt.ts'),
  generations: () => import('./commands/generations.ts'),
  check: () => import('./commands/check.ts'),
  sync: () => import('./commands/sync.ts'),
  reseed: () => import('./commands/reseed.ts'),
  info: () => import('./commands/info.ts'),
  list: () => import('./commands/list.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  register: () => import('./commands/register.ts'),
  unregister: () => import('./commands/stop.ts'),
  snapshot: () => import('./commands/snapshot.ts'),
  reset: () => import('./commands/reset.ts'),
  reload: () => import('./commands/reload.ts'),
  status: () => import('./commands/status.ts'),
  version: () => import('./commands/version.ts'),
  diagnose: () => import('./commands/diagnose.ts'),
  mcp: () => import('./commands/mcp.ts'),
  completion: () => import('./commands/completion.ts'),
};

export async function runCommand(
  command: Command,
  words: readonly string[],
  shell: Shell,
): Promise<number> {
  try {
    const args = parseArguments(command, words);
    if (args.has('help')) {
      shell.stdout.write(helpOf(command));
      return EXIT_CODES.ok;
    }
    const load = RUNS[command.aliasOf ?? command.name];
    if (load === undefined) throw new TypeError(`${command.name} is in the table but has no code`);
    const { run } = await load();
    return await run(args, shell);
  } catch (error) {
    const isInterrupted = error instanceof Interrupted;
    const message = isInterrupted ? `sluice: ${error.message}` : describeError(error);
    shell.stderr.write(`${shell.secrets.clean(message)}\n`);
    if (isError(error) && shell.terminal !== undefined) {
      shell.stderr.write(`  "sluice help ${error.code}" says more about it\n`);
    }
    return isInterrupted ? error.exitCode : exitCodeOf(error);
  }
}
