/** Combines the destinations that hold the same history: together they may have what each of them lacks. */

import {
  unite,
  type Conflict,
  type RestoreSource,
  type RestoreTarget,
  type United,
} from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { DestinationConfig } from '../config/model.ts';
import type { Answer, LTXCandidate, LTXUnusable } from './survey.ts';

/** Destinations that are read together. */
export interface Across {
  /** For `restore`: the nearest first. */
  readonly sources: readonly RestoreSource[];
  readonly plan: United['plan'];
  /** Those of `sources`. */
  readonly destinations: readonly DestinationConfig[];
}

export interface Combined {
  /** The state that several destinations hold together. */
  readonly candidate: (LTXCandidate & { readonly across: Across }) | undefined;
  /** Why several destinations do not lead to the target either. */
  readonly error: ReplicationError | undefined;
  readonly conflicts: readonly Conflict[];
}

/** Rejects only with the reason of the signal. */
export async function combine(
  answers: readonly Answer[],
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<Combined> {
  const listed = answers.filter(hasFiles);
  if (listed.length < 2) return { candidate: undefined, error: undefined, conflicts: [] };
  const united = await unite(listed.map(toSource), target, signal);
  const { conflicts } = united;
  if (united.kind === 'apart') return { candidate: undefined, error: united.error, conflicts };
  const { sources, plan, newest } = united;
  const answerOf = (name: string): LTXCandidate | LTXUnusable => {
    const found = listed.find(({ destination }) => destination.name === name);
    if (found === undefined) throw new TypeError(`${name} was not listed`);
    return found;
  };
  const destinations = sources.map(({ name }) => answerOf(name).destination);
  const candidate = {
    ...answerOf(newest.file.source.name), // the listing that has the last file
    kind: 'restorable',
    plan,
    newest,
    across: { sources, plan, destinations },
  } as const;
  return { candidate, error: undefined, conflicts };
}

/** Whether the combined state includes what this destination has. */
export function isCovered(answer: Answer, combined: LTXCandidate | undefined): boolean {
  if (combined?.across === undefined || !hasFiles(answer) || answer === combined) return false;
  const isMember = combined.across.destinations.includes(answer.destination);
  // More may have been sent there than is there now.
  return isMember && (answer.newest?.txid ?? 0n) <= combined.newest.txid;
}

/** RESTORE_AMBIGUOUS: names the files that show it. */
export function conflictError(conflicts: readonly Conflict[]): ReplicationError {
  const lines = conflicts.map(
    ({ file, source, other }) =>
      `  ${file} at ${source} is not the file of the same name at ${other}`,
  );
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    `two replicators have written different files under the same name, so these destinations are never combined:\n` +
      `${lines.join('\n')}\nchoose one: run "sluice restore -replica NAME"`,
  );
}

/** "a, b and c" */
export function listOf(names: readonly string[]): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
}

function hasFiles(answer: Answer): answer is LTXCandidate | LTXUnusable {
  return (answer.kind === 'restorable' || answer.kind === 'unusable') && answer.layout === 'ltx';
}

/** For `restore`, and for `unite`. */
export function toSource({
  destination: { name },
  client,
  capabilities,
  listed,
  headers,
  listedInMs,
}: LTXCandidate | LTXUnusable): Parameters<typeof unite>[0][number] {
  return { name, client, capabilities, listed, headers, listedInMs };
}
