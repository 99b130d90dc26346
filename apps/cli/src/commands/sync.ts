/** sluice sync: asks the running replicator to send everything committed, and waits if told so. */

import type { SyncAnswer, SyncInput } from '@sluice/core';
import type { Arguments } from '../args.ts';
import { askAll, findAllFollowed } from '../controlling/followed.ts';
import { readMin, readTimeoutMs } from '../controlling/flags.ts';
import { describeError } from '../describe-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, type Shell } from '../shell.ts';

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const timeoutMs = readTimeoutMs(args, 'sync');
  const input: SyncInput = { min: readMin(args), timeout_ms: timeoutMs };
  const { databases, errors: unsearched } = await findAllFollowed(args, shell);
  const { answers, errors } = await askAll<SyncAnswer>(databases, {
    command: 'sync',
    input,
    timeoutMs,
  });
  if (args.has('json')) printJSON(shell, answers);
  else for (const answer of answers) shell.stdout.write(`${describe(answer)}\n`);
  const [first, ...others] = [...errors, ...unsearched];
  for (const error of others) {
    shell.stderr.write(`${shell.secrets.clean(describeError(error))}\n`);
  }
  if (first !== undefined) throw first;
  return EXIT_CODES.ok;
}

function describe({ path, status, txid, destinations }: SyncAnswer): string {
  const where = destinations.length === 0 ? 'no destination yet' : destinations.join(', ');
  const staged = status === 'synced_local' ? 'staged, and ' : '';
  return `${path}: TXID ${txid} is ${staged}at ${where}`;
}
