/** `drill -running` and `repair -running`: the running replicator does it, and this process waits and shows how far it is. */

import { ReplicationError } from '@sluice/core/backend';
import { usageError, type Arguments } from '../args.ts';
import { toDatabasePath } from '../config/schema.ts';
import type { DrillFlags } from '../drilling/flags.ts';
import { ProgressBar } from '../progress.ts';
import { CountLine } from '../repairing/count-line.ts';
import type { RepairFlags } from '../repairing/flags.ts';
import { nearestPath } from '../select.ts';
import type { Shell } from '../shell.ts';
import type { ListAnswer, ListedDatabase } from './answers.ts';
import { askProcess } from './process.ts';
import type { Drilled, DrillInput, ProofProgress, RepairAnswer, RepairInput } from './proofs.ts';

/** Progress arrives every few seconds. A replicator that says nothing for this long hangs. */
const SILENCE_MS = 30_000;
const LIST_MS = 10_000;

/** The named databases, as the replicator has them; without a name, all that it replicates. */
export async function runningDatabases(
  args: Arguments,
  shell: Shell,
): Promise<readonly ListedDatabase[]> {
  const wanted = args.positionals.map((name) => {
    if (!/^[a-z0-9+.-]+:\/\//i.test(name)) return toDatabasePath(name);
    throw usageError(args.command, `-running needs a database, but ${name} is a URL`);
  });
  const call = { command: 'list', timeoutMs: LIST_MS };
  const { databases } = await askProcess<ListAnswer>(args, shell, call, wanted[0]);
  if (wanted.length === 0) return databases.filter(({ status }) => status === 'replicating');
  return wanted.map((path) => {
    const found = databases.find((each) => each.path === path);
    if (found !== undefined) return found;
    const meant = nearestPath(
      path,
      databases.map((each) => each.path),
    );
    const hint = meant === undefined ? '"sluice list" shows what it has' : `did you mean ${meant}?`;
    throw new ReplicationError(
      'CONFIG_INVALID',
      `${args.command.name} ${path}: the running replicator does not have it; ${hint}`,
    );
  });
}

/** Names of the destinations to drill. CONFIG_INVALID if -replica names none of them. */
export function wantedDestinations(
  args: Arguments,
  { path, destinations }: ListedDatabase,
): readonly string[] {
  const wanted = args.text('replica');
  if (wanted === undefined) return destinations;
  if (destinations.includes(wanted)) return [wanted];
  const known = destinations.join(', ');
  throw usageError(args.command, `there is no destination ${wanted}; ${path} has ${known}`);
}

export async function drillThere(
  args: Arguments,
  shell: Shell,
  drill: { readonly path: string; readonly replica: string; readonly flags: DrillFlags },
): Promise<Drilled> {
  const { path, replica, flags } = drill;
  const bar = new ProgressBar(`drilling ${replica}`, shell.stderr);
  const input: DrillInput = {
    path,
    replica,
    ...toState(flags.target),
    integrity_check: flags.integrityCheck,
    assertions: flags.assertions,
  };
  const onProgress = (progress: unknown): void => {
    const { drill: done } = progress as ProofProgress;
    if (done !== undefined) bar.update(done.doneBytes, done.totalBytes);
  };
  const call = { command: 'drill', input, timeoutMs: SILENCE_MS, onProgress };
  return await askProcess<Drilled>(args, shell, call, path).finally(() => bar.end());
}

function toState(target: DrillFlags['target']): Pick<DrillInput, 'at' | 'txid'> {
  if (target.kind === 'txid') {
    return { at: 'latest', txid: target.txid.toString(16).padStart(16, '0') };
  }
  return { at: target.kind === 'timestamp' ? target.at.toISOString() : target.kind };
}

export async function repairThere(
  args: Arguments,
  shell: Shell,
  { path, flags }: { readonly path: string; readonly flags: RepairFlags },
): Promise<RepairAnswer> {
  using line = new CountLine(`repairing ${path}`, shell.stderr);
  const input: RepairInput = { path, dry_run: flags.mode === 'dry-run', read: flags.read };
  const onProgress = (progress: unknown): void => {
    const { repair: done } = progress as ProofProgress;
    if (done !== undefined) line.update(done);
  };
  const call = { command: 'repair', input, timeoutMs: SILENCE_MS, onProgress };
  return await askProcess<RepairAnswer>(args, shell, call, path);
}
