/** `~` in a path of a configuration. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { ReplicationError } from '../error.ts';

/** `~` and `~/x` are below the home folder; CONFIG_INVALID where the user has none. */
export function expandHome(path: string): string {
  if (path !== '~' && !path.startsWith('~/')) return path;
  const home = homeFolder();
  if (home !== undefined) return join(home, path.slice(1));
  throw new ReplicationError(
    'CONFIG_INVALID',
    `${path}: this user has no home folder; set HOME, or write the whole path`,
  );
}

/** undefined where HOME is not set and the system does not know the user, as in some containers. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return home === '' ? undefined : home;
  } catch {
    return undefined;
  }
}
