/** `~` in a path of a configuration. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { ReplicationError } from '../error.ts';

/** Expands `~` and `~/x` to the home folder. CONFIG_INVALID if the user has none. */
export function expandHome(path: string): string {
  if (path !== '~' && !path.startsWith('~/')) return path;
  const home = homeFolder();
  if (home !== undefined) return join(home, path.slice(1));
  throw new ReplicationError(
    'CONFIG_INVALID',
    `${path}: this user has no home folder; set HOME, or write the full path`,
  );
}

/** undefined if HOME is not set and the user has no entry in /etc/passwd, as in some containers. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return home === '' ? undefined : home;
  } catch {
    return undefined;
  }
}
