/**
 * A command that came over HTTP: those of the control socket of the process, and `sync` and `reseed`, which belong to the
 * one of a database, with its `path` in their input.
 */

import {
  databaseCommands,
  type ControlCommands,
  type ProcessInfo,
  type Replicator,
} from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { CommandOrder } from '@sluice/dashboard';
import { SYNC_MS_DEFAULT } from '../controlling/flags.ts';

export interface CommandsHere {
  readonly replicator: Replicator;
  readonly info: ProcessInfo;
  /** Of the process. */
  readonly commands: ControlCommands;
}

const OF_DATABASE = ['sync', 'reseed'] as const;

/** CONFIG_INVALID for an unknown command and for a wrong input. */
export async function runRequested(
  { replicator, info, commands }: CommandsHere,
  { command, input, onProgress }: CommandOrder,
  signal: AbortSignal,
): Promise<unknown> {
  const known = [...Object.keys(commands), ...OF_DATABASE];
  if (!known.includes(command)) {
    const why = `there is no command ${command}; there are ${known.join(', ')}`;
    throw new ReplicationError('CONFIG_INVALID', why);
  }
  if (!OF_DATABASE.some((each) => each === command)) {
    refuseURLs(command, input);
    return await commands[command]?.(input, signal, onProgress);
  }
  const { path, ...rest } = Object(input ?? {}) as { readonly path?: unknown };
  if (typeof path !== 'string') {
    throw new ReplicationError('CONFIG_INVALID', `run ${command}: its input needs a path`);
  }
  const own = databaseCommands(replicator, path, info);
  return await own[command]?.({ timeout_ms: SYNC_MS_DEFAULT, ...rest }, signal, onProgress);
}

/** With a URL, whoever has the token could copy any database of this machine to anywhere. */
function refuseURLs(command: string, input: unknown): void {
  if (command !== 'register' || (input as { urls?: unknown } | null)?.urls === undefined) return;
  throw new ReplicationError(
    'CONFIG_INVALID',
    'register over HTTP takes no urls: add the database to the configuration, or run "sluice register" on that machine',
  );
}
