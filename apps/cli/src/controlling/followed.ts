/** The databases whose replicator a command talks to, and the calls to it. */

import { callControl, completeOptions, type ControlCall } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { hasConfig, loadConfig } from '../config/load.ts';
import { toDatabasePath } from '../config/schema.ts';
import { interruptible } from '../interrupt.ts';
import { findDatabase } from '../select.ts';
import type { Shell } from '../shell.ts';

export interface FollowedDatabase {
  readonly path: string;
  /** Its staging folder. */
  readonly metaPath: string;
}

/**
 * The named database, or all of the configuration. A database whose replicator was started without a
 * configuration needs none here either.
 */
export async function findFollowed(
  args: Arguments,
  shell: Shell,
): Promise<readonly FollowedDatabase[]> {
  const { databases } = await findAllFollowed(args, shell);
  return databases;
}

/** The same, with an error for each directory that cannot be searched, or has databases and replicates none. */
export async function findAllFollowed(
  args: Arguments,
  shell: Shell,
): Promise<{ readonly databases: readonly FollowedDatabase[]; readonly errors: readonly Error[] }> {
  const [argument] = args.positionals;
  if (argument !== undefined && !hasConfig(args, shell)) {
    return { databases: [completeOptions({ path: toDatabasePath(argument) })], errors: [] };
  }
  const config = await loadConfig(args, shell);
  const isOne = argument !== undefined;
  const databases = isOne ? [findDatabase(config, argument, args)] : config.databases;
  const { unreadable = [], unmatched = [], unread = [] } = config;
  const next = 'check the path, and run this as the user of the replicator';
  const problems = [
    ...unreadable.map(({ dir, why }) => `search ${dir} for databases: ${why}; ${next}`),
    ...unmatched.map(({ dir, why }) => `search ${dir} for databases: ${why}`),
    ...unread.map(({ config: { options }, why }) => `look into ${options.path}: ${why}; ${next}`),
  ];
  const errors = (isOne ? [] : problems).map(
    (each) => new ReplicationError('DATABASE_DENIED', each),
  );
  return { databases: databases.map(({ options }) => completeOptions(options)), errors };
}

/** The replicator has this much time more than the command itself, so that its own error arrives. */
const GRACE_MS = 5_000;

export interface Answers<Answer> {
  readonly answers: readonly Answer[];
  readonly errors: readonly Error[];
}

/**
 * Sends one command to the replicator of each database, at the same time. A signal of the user aborts it.
 * The answers are trusted: the socket is private.
 */
export async function askAll<Answer>(
  databases: readonly FollowedDatabase[],
  { command, input, timeoutMs }: Pick<ControlCall, 'command' | 'input' | 'timeoutMs'>,
): Promise<Answers<Answer>> {
  const limitMs = timeoutMs + GRACE_MS;
  const results = await interruptible((signal) =>
    Promise.allSettled(
      databases.map(async ({ path: database, metaPath }) =>
        callControl({ database, metaPath, command, input, timeoutMs: limitMs, signal }),
      ),
    ),
  );
  const answers: Answer[] = [];
  const errors: Error[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') answers.push(result.value as Answer);
    else errors.push(result.reason as Error);
  }
  return { answers, errors };
}
