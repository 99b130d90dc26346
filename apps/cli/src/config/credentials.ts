/**
 * Credentials in the environment, by our names, by Litestream's, and in the files that `…_FILE`
 * names. Those of AWS are put where its SDK looks for them, and what AWS_… says wins; those of Azure
 * become keys of the destination.
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
  return find(NAMES, environment);
}

function find(
  wanted: Readonly<Record<string, readonly string[]>>,
  environment: Environment,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, names] of Object.entries(wanted)) {
    for (const candidate of names) {
      const value = valueOf(candidate, environment)?.trim() ?? ''; // as it would be in a file
      if (value === '') continue;
      found[name] = value;
      break;
    }
  }
  return found;
}

const AZURE_NAMES: Readonly<Record<string, readonly string[]>> = {
  'account-key': ['SLUICE_AZURE_ACCOUNT_KEY', 'LITESTREAM_AZURE_ACCOUNT_KEY'],
  'sas-token': ['SLUICE_AZURE_SAS_TOKEN', 'LITESTREAM_AZURE_SAS_TOKEN'],
};
const AZURE_KEYS = [...Object.keys(AZURE_NAMES), 'sas-token-path', 'connection-string'];

/**
 * What a backend is given, with the key and the token that stand in variables where the input has
 * neither. (Azure's SDK has no variables for them, as Amazon's has.) CONFIG_INVALID where a file
 * cannot be read.
 */
export function withCredentials(type: string, input: object, environment: Environment): object {
  if (type !== 'abs' || AZURE_KEYS.some((key) => key in input)) return input;
  return { ...find(AZURE_NAMES, environment), ...input };
}

/** The SDK reads the environment of the process, and nothing else. */
export function applyCredentials(shell: Shell): void {
  const found = findCredentials(shell.environment);
  for (const name of SECRET) shell.secrets.add(found[name] ?? '');
  Object.assign(process.env, found);
}
