/**
 * sluice reseed: lets a folder that has lost its files and its marker get a full snapshot. Asks the running
 * replicator; without one, the next start does it.
 */

import {
  completeOptions,
  isError,
  reseedAtStart,
  type ReseedAnswer,
  type ReseedInput,
} from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import { loadConfig } from '../config/load.ts';
import type { Config, DatabaseConfig } from '../config/model.ts';
import { askAll } from '../controlling/followed.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { findDatabase } from '../select.ts';
import { printJSON, type Shell } from '../shell.ts';

const TIMEOUT_MS = 10_000;

interface Outcome {
  readonly path: string;
  readonly destination: string;
  readonly reseed: ReseedAnswer['reseed'];
  /** Whether a replicator runs. */
  readonly running: boolean;
}

export async function run(args: Arguments, shell: Shell): Promise<number> {
  const [name, argument] = args.positionals;
  if (name === undefined) throw usageError(args.command, 'name the destination');
  const config = await loadConfig(args, shell);
  const databases =
    argument === undefined ? config.databases : [findDatabase(config, argument, args)];
  const withIt = databases.filter((database) => targetOf(database, name) !== undefined);
  if (withIt.length === 0) throw unknownDestination(args, config, name);
  const outcomes: Outcome[] = [];
  for (const database of withIt) outcomes.push(await reseed(database, name));
  if (args.has('json')) printJSON(shell, outcomes);
  else for (const outcome of outcomes) shell.stdout.write(`${describe(outcome)}\n`);
  return EXIT_CODES.ok;
}

async function reseed(database: DatabaseConfig, destination: string): Promise<Outcome> {
  const { path, metaPath } = completeOptions(database.options);
  const input: ReseedInput = { destination };
  const { answers, errors } = await askAll<ReseedAnswer>([{ path, metaPath }], {
    command: 'reseed',
    input,
    timeoutMs: TIMEOUT_MS,
  });
  const [answer] = answers;
  const [error] = errors;
  if (answer !== undefined) return { path, destination, ...answer, running: true };
  if (error !== undefined && !isError(error, 'NOT_RUNNING')) throw error;
  const target = targetOf(database, destination) ?? destination;
  const result = await reseedAtStart({ folder: metaPath, database: path, target });
  return { path, destination, reseed: result, running: false };
}

function targetOf({ destinations }: DatabaseConfig, name: string): string | undefined {
  return destinations.find((destination) => destination.name === name)?.target;
}

function unknownDestination(args: Arguments, { databases }: Config, name: string): Error {
  const names = databases.flatMap(({ destinations }) => destinations.map((each) => each.name));
  const known = [...new Set(names)].join(', ');
  return usageError(
    args.command,
    `there is no destination ${name}; the configuration has ${known}`,
  );
}

function describe({ path, destination, reseed: result, running }: Outcome): string {
  if (result === 'not needed') {
    return running
      ? `${path}: the replicator has not seen that ${destination} lacks its folder, so nothing was done; it looks with the next commit`
      : `${path}: ${destination} has got nothing from this machine yet, so there is nothing to do`;
  }
  return running
    ? `${path}: a full snapshot will be sent to ${destination}`
    : `${path}: no replicator runs; the next one sends a full snapshot to ${destination} if that is empty`;
}
