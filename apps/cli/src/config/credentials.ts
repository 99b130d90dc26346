/**
 * Reads credentials from environment variables: SLUICE_…, LITESTREAM_…, and files named by `…_FILE`.
 * AWS credentials are set as AWS_… for its SDK, unless those exist already. Azure credentials become
 * keys of the destination.
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

/** CONFIG_INVALID if a file cannot be read. */
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
      const value = valueOf(candidate, environment)?.trim() ?? ''; // as in a credentials file
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
 * Adds the Azure key and token from the environment if the input has no credentials. (Azure's SDK,
 * unlike Amazon's, reads no such variables.) CONFIG_INVALID if a file cannot be read.
 */
export function withCredentials(type: string, input: object, environment: Environment): object {
  if (type !== 'abs' || AZURE_KEYS.some((key) => key in input)) return input;
  return { ...find(AZURE_NAMES, environment), ...input };
}

/** Sets them in the environment of the process, where the SDK reads them. */
export function applyCredentials(shell: Shell): void {
  const found = findCredentials(shell.environment);
  for (const name of SECRET) shell.secrets.add(found[name] ?? '');
  Object.assign(process.env, found);
}
