/** Which databases a command has stopped: their replicator runs, and does not replicate them. */

import type { Arguments } from '../args.ts';
import type { ListAnswer } from '../controlling/answers.ts';
import { askProcess } from '../controlling/process.ts';
import type { Shell } from '../shell.ts';
import { NO_REPLICATOR, type DatabaseRow } from './describe.ts';

/** It answers at once, unless it hangs. */
const LIST_MS = 1_000;

/** Asks only if a database seems to have no replicator. Empty if none answers. */
export async function stoppedDatabases(
  args: Arguments,
  shell: Shell,
  rows: readonly DatabaseRow[],
): Promise<ReadonlySet<string>> {
  if (rows.every(({ replicator }) => replicator !== NO_REPLICATOR)) return new Set();
  try {
    const call = { command: 'list', timeoutMs: LIST_MS };
    const { databases } = await askProcess<ListAnswer>(args, shell, call, args.positionals[0]);
    const stopped = databases.filter(({ status }) => status === 'stopped');
    return new Set(stopped.map(({ path }) => path));
  } catch {
    return new Set(); // then there is no replicator, as the rows say
  }
}

export function withStopped(
  rows: readonly DatabaseRow[],
  stopped: ReadonlySet<string>,
): readonly DatabaseRow[] {
  const replicator = 'stopped by a command: "sluice start" continues';
  return rows.map((row) => (stopped.has(row.database) ? { ...row, replicator } : row));
}
