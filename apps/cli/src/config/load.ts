/** Finds the configuration, reads it, and gives what it says. */

import fs from 'node:fs';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Arguments } from '../args.ts';
import { parseYAML } from './document.ts';
import { credentialsFrom, expand } from './expand.ts';
import type { Config } from './model.ts';
import { parseConfig } from './parse.ts';

const PLACES: readonly string[] =
  process.platform === 'win32'
    ? ['C:\\Sluice\\sluice.yml', 'C:\\Litestream\\litestream.yml']
    : ['/etc/sluice.yml', '/etc/litestream.yml'];

/** CONFIG_INVALID where there is none, or with all that is wrong in it. */
export async function loadConfig(args: Arguments): Promise<Config> {
  applyCredentials();
  const file = findConfig(args.text('config'));
  const text = read(file);
  const expanded = args.has('no-expand-env') ? text : expand(text, process.env);
  return await parseConfig(parseYAML(expanded, file), file);
}

/** Lets AWS's credential chain see what our and Litestream's variables say. */
export function applyCredentials(): void {
  Object.assign(process.env, credentialsFrom(process.env));
}

function findConfig(given: string | undefined): string {
  const { SLUICE_CONFIG: ours, LITESTREAM_CONFIG: theirs } = process.env;
  const named = given ?? ours ?? theirs;
  if (named !== undefined) return named;
  const found = PLACES.find((place) => fs.existsSync(place));
  if (found !== undefined) return found;
  throw new ReplicationError(
    'CONFIG_INVALID',
    `there is no configuration: looked for ${PLACES.join(' and ')}; name one with -config`,
  );
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    const message = `read the configuration ${file}: ${messageOf(error)}`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
