/**
 * sluice reset: forgets what is staged for a database, so that a full snapshot follows. The running replicator does it
 * after a last sync; without one it is done here.
 */

import { isError } from '@sluice/core';
import type { Arguments } from '../args.ts';
import { hasConfig, loadConfig } from '../config/load.ts';
import type { ResetAnswer, ResetInput } from '../controlling/answers.ts';
import { namedDatabase, readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { resetDatabase } from '../controlling/reset-database.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { findDatabase } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

/** For the last sync. */
const SYNC_MS = 120_000;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const path = namedDatabase(args);
  const timeoutMs = readTimeoutMs(args, 'sync') + SYNC_MS;
  const input: ResetInput = { path, force: args.has('force'), dry_run: args.has('dry-run') };
  const answer = await resetThere(args, shell, input, timeoutMs);
  if (args.has('json')) printJSON(shell, answer);
  else shell.stdout.write(`${describe(answer)}\n`);
  return EXIT_CODES.ok;
}

async function resetThere(
  args: Arguments,
  shell: Shell,
  input: ResetInput,
  timeoutMs: number,
): Promise<ResetAnswer> {
  try {
    const call = { command: 'reset', input, timeoutMs };
    return await askProcess<ResetAnswer>(args, shell, call, input.path);
  } catch (error) {
    if (!isError(error, 'NOT_RUNNING')) throw error;
  }
  const database = hasConfig(args, shell)
    ? findDatabase(await loadConfig(args, shell), input.path, args)
    : { options: { path: input.path }, restoreIfMissing: false, destinations: [], drills: {} };
  return await resetDatabase(database, input, false);
}

function describe({ path, status, files, bytes, running }: ResetAnswer): string {
  const what = `${files} staged files, ${bytes} bytes`;
  if (status === 'would_reset') return `${path}: ${what} would be removed`;
  const next = running ? 'a full snapshot is made now' : 'the next start makes a full snapshot';
  return `${path}: removed ${what}; ${next}`;
}
