/**
 * Credentials in the environment, put where the AWS SDK looks for them: by our names, by
 * Litestream's, and in the files that `…_FILE` names. What AWS_… says wins.
 */

import type { Environment, Shell } from '../shell.ts';
import { valueOf } from './variables.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  AWS_ACCESS_KEY_ID: ['AWS_ACCESS_KEY_ID', 'SLUICE_ACCESS_KEY_ID', 'LITESTREAM_ACCESS_KEY_ID'],
  AWS_SECRET_ACCESS_KEY: [
    'AWS_SECRET_ACCESS_KEY',
    'SLUICE_SECRET_ACCESS_KEY',
    'LITESTREAM_SECRET_ACCESS_KEY',
  ],
  AWS_SESSION_TOKEN: ['AWS_SESSION_TOKEN'],
};
const SECRET = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

/** CONFIG_INVALID where a file cannot be read. */
export function findCredentials(environment: Environment): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, names] of Object.entries(NAMES)) {
    for (const candidate of names) {
      const value = valueOf(candidate, environment);
      if (value === undefined || value === '') continue;
      found[name] = value;
      break;
    }
  }
  return found;
}

/** The SDK reads the environment of the process, and nothing else. */
export function applyCredentials(shell: Shell): void {
  const found = findCredentials(shell.environment);
  for (const name of SECRET) shell.secrets.add(found[name] ?? '');
  Object.assign(process.env, found);
}
