/** Finds the configuration, and reads it. */

import fs from 'node:fs';
import path from 'node:path';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { readTextFile } from '../read-file.ts';
import type { Shell } from '../shell.ts';
import { applyCredentials } from './credentials.ts';
import type { Config } from './model.ts';
import { readConfig } from './read.ts';

/** CONFIG_INVALID where there is none, or with all that is wrong in it. */
export async function loadConfig(args: Arguments, shell: Shell): Promise<Config> {
  applyCredentials(shell);
  const { file, how } = findConfig(args.text('config'), shell);
  // Nobody named it: which one was found is not left to guess.
  if (how === 'found') shell.stderr.write(`sluice: the configuration is ${path.resolve(file)}\n`);
  return await readConfig(readText(file), {
    source: file,
    folder: path.dirname(path.resolve(file)),
    environment: shell.environment,
    variables: args.has('no-expand-env') ? 'leave' : 'expand',
    secrets: shell.secrets,
  });
}

interface FoundConfig {
  readonly file: string;
  readonly how: 'named' | 'found';
}

function findConfig(given: string | undefined, shell: Shell): FoundConfig {
  const { SLUICE_CONFIG: ours, LITESTREAM_CONFIG: theirs } = shell.environment;
  const named = [given, ours, theirs].find((file) => file !== undefined && file !== '');
  if (named !== undefined) return { file: named, how: 'named' };
  const found = shell.places.find((place) => fs.existsSync(place));
  if (found !== undefined) return { file: found, how: 'found' };
  throw new ReplicationError(
    'CONFIG_INVALID',
    `no configuration: there is neither ${shell.places.join(' nor ')}; name one with -config`,
  );
}

function readText(file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    const message = `read the configuration ${file}: ${messageOf(error)}; check the path (-config), and who may read it`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
