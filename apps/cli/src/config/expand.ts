/**
 * `$VAR` and `${VAR}` in a configuration, and secrets that lie in files: where VAR is not set and
 * VAR_FILE is, its value is what is in that file.
 */

import fs from 'node:fs';
import { messageOf, ReplicationError } from '@sluice/core/backend';

export type Environment = Readonly<Record<string, string | undefined>>;

export function expand(text: string, environment: Environment): string {
  return text.replaceAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g, (_, braced, plain) => {
    const name = String(braced ?? plain);
    return name === 'PID' ? String(process.pid) : (valueOf(name, environment) ?? '');
  });
}

/** CONFIG_INVALID where the file of `<name>_FILE` cannot be read. */
export function valueOf(name: string, environment: Environment): string | undefined {
  const value = environment[name];
  if (value !== undefined) return value;
  const file = environment[`${name}_FILE`];
  if (file === undefined) return undefined;
  try {
    return fs.readFileSync(file, 'utf8').trimEnd();
  } catch (error) {
    const message = `read ${name}_FILE=${file}: ${messageOf(error)}`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}

/** Credentials by Litestream's names, and those in files, where AWS's chain looks for them. */
const AWS_NAMES: readonly (readonly [string, readonly string[]])[] = [
  ['AWS_ACCESS_KEY_ID', ['AWS_ACCESS_KEY_ID', 'LITESTREAM_ACCESS_KEY_ID', 'SLUICE_ACCESS_KEY_ID']],
  [
    'AWS_SECRET_ACCESS_KEY',
    ['AWS_SECRET_ACCESS_KEY', 'LITESTREAM_SECRET_ACCESS_KEY', 'SLUICE_SECRET_ACCESS_KEY'],
  ],
  ['AWS_SESSION_TOKEN', ['AWS_SESSION_TOKEN']],
];

/** What to add to the environment so that AWS's credential chain finds it. */
export function credentialsFrom(environment: Environment): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, names] of AWS_NAMES) {
    for (const candidate of names) {
      const value = valueOf(candidate, environment);
      if (value === undefined) continue;
      found[name] = value;
      break;
    }
  }
  return found;
}
