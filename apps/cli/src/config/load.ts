/** Finds and reads the configuration. */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { readTextFile } from '../read-file.ts';
import type { ConfigFile } from '../drilling/order.ts';
import type { Shell } from '../shell.ts';
import { applyCredentials } from './credentials.ts';
import type { Config } from './model.ts';
import { readConfig } from './read.ts';
import { withFound } from './scan.ts';

/** With the databases of its directories. CONFIG_INVALID if there is none, or with all problems found in it. */
export async function loadConfig(args: Arguments, shell: Shell): Promise<Config> {
  applyCredentials(shell);
  const { file, how } = findConfig(args.text('config'), shell);
  // Show which default path was used.
  if (how === 'found')
    shell.stderr.write(`sluice: using the configuration ${path.resolve(file)}\n`);
  const variables = args.has('no-expand-env') ? 'leave' : 'expand';
  return await withFound(await readFrom({ file, variables }, shell));
}

/** Reads a configuration whose path is known. Its directories are not searched. Errors as above. */
export async function readConfigFile(config: ConfigFile, shell: Shell): Promise<Config> {
  applyCredentials(shell);
  return await readFrom(config, shell);
}

/** The path of the configuration; undefined if there is none. */
export function configPathOf(args: Arguments, shell: Shell): string | undefined {
  return hasConfig(args, shell)
    ? path.resolve(findConfig(args.text('config'), shell).file)
    : undefined;
}

/** Whether a configuration is named, or exists at a default path. */
export function hasConfig(args: Arguments, { environment, configPaths }: Shell): boolean {
  const { SLUICE_CONFIG: ours, LITESTREAM_CONFIG: theirs } = environment;
  const isNamed = [args.text('config'), ours, theirs].some((file) => (file ?? '') !== '');
  return isNamed || configPaths.some((place) => fs.existsSync(place));
}

/** Path of the configuration. CONFIG_INVALID if there is none. */
export function findConfigFile(args: Arguments, shell: Shell): string {
  return findConfig(args.text('config'), shell).file;
}

interface FoundConfig {
  readonly file: string;
  readonly how: 'named' | 'found';
}

function findConfig(given: string | undefined, shell: Shell): FoundConfig {
  const { SLUICE_CONFIG: ours, LITESTREAM_CONFIG: theirs } = shell.environment;
  const named = [given, ours, theirs].find((file) => file !== undefined && file !== '');
  if (named !== undefined) return { file: named, how: 'named' };
  const found = shell.configPaths.find((place) => fs.existsSync(place));
  if (found !== undefined) return { file: found, how: 'found' };
  throw new ReplicationError(
    'CONFIG_INVALID',
    `no configuration found at ${shell.configPaths.join(', ')}; give its path with -config, or write one with "sluice init"`,
  );
}

async function readFrom({ file, variables }: ConfigFile, shell: Shell): Promise<Config> {
  return await readConfig(textOf(file), {
    source: file,
    folder: path.dirname(path.resolve(file)),
    environment: shell.environment,
    variables,
    secrets: shell.secrets,
  });
}

function textOf(file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    const message = `read the configuration ${file}: ${messageOf(error)}; check the path (-config) and its permissions`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
