/**
 * sluice stop and unregister: a last sync of a database, which the running replicator then leaves alone: until
 * `sluice start`, or for good.
 */

import type { Arguments } from '../args.ts';
import type { DatabasesInput, EndAnswer } from '../controlling/answers.ts';
import { namedDatabase, readTimeoutMs } from '../controlling/flags.ts';
import { askProcess } from '../controlling/process.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { printJSON, type Shell } from '../shell.ts';

/** A destination that does not respond at all gets up to a minute more. */
const SILENCE_MS = 60_000;

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const { name: command } = args.command;
  const path = namedDatabase(args);
  const timeoutMs = readTimeoutMs(args, 'sync');
  const input: DatabasesInput = { path, timeout_ms: timeoutMs, dry_run: args.has('dry-run') };
  const call = { command, input, timeoutMs: timeoutMs * 2 + SILENCE_MS };
  const answer = await askProcess<EndAnswer>(args, shell, call, path);
  if (args.has('json')) printJSON(shell, answer);
  else shell.stdout.write(`${path}: ${describe(answer)}\n`);
  return (answer.behind ?? []).length > 0 ? EXIT_CODES.behind : EXIT_CODES.ok;
}

const WORDS: Readonly<Record<EndAnswer['status'], string>> = {
  stopped: 'stopped; it is not replicated until "sluice start"',
  already_stopped: 'was stopped already',
  would_stop: 'would get a last sync and be stopped',
  unregistered: 'unregistered; it is no longer replicated, and its replicas stay',
  already_unregistered: 'was unregistered already',
  would_unregister: 'would get a last sync and be unregistered; its replicas stay',
};

function describe({ status, txid, complete = [], behind = [] }: EndAnswer): string {
  const sent = complete.length === 0 ? '' : `; ${complete.join(', ')} has TXID ${txid ?? '-'}`;
  const unsent =
    behind.length === 0
      ? ''
      : `; ${behind.join(', ')} does not have everything: the rest stays staged, and is sent after the next start`;
  return `${WORDS[status]}${sent}${unsent}`;
}
