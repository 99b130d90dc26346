/**
 * The folder of the control socket of a whole process (docs/decisions/0044). Its name comes from the path of the
 * configuration, so that a command with the same configuration finds it:
 *
 *   <base>/<16 hex digits>/control/socket
 *
 *   base                        used if
 *   $XDG_RUNTIME_DIR/sluice     the variable is set
 *   /run/sluice                 it exists, or root may make it (RuntimeDirectory=sluice of systemd makes it)
 *   /run/user/<uid>/sluice      the user is logged in
 *   /tmp/sluice-<uid>           otherwise
 *
 * A process uses the first base where it may make its folder; a command looks at all of them. A base and a folder
 * are used only if nobody else may write to them.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Environment } from '../shell.ts';

/** Hex digits of a name: enough that two configurations of one machine never have the same one. */
const NAME_DIGITS = 16;
/** Others may not write there. */
const OTHERS_WRITE = 0o022;

/** What a process replicates: a configuration file, or without one a database. */
export type ProcessKey =
  | { readonly kind: 'config'; readonly file: string }
  | { readonly kind: 'database'; readonly path: string };

/** The possible folders, in the order of the search. None on Windows. */
export function processFolders(key: ProcessKey, environment: Environment): string[] {
  const uid = process.getuid?.();
  if (uid === undefined) return [];
  const { XDG_RUNTIME_DIR: runtime } = environment;
  const bases = [
    ...(runtime === undefined || !path.isAbsolute(runtime) ? [] : [path.join(runtime, 'sluice')]),
    '/run/sluice',
    `/run/user/${uid}/sluice`,
    `/tmp/sluice-${uid}`,
  ];
  return [...new Set(bases)].map((base) => path.join(base, nameOf(key)));
}

function nameOf(key: ProcessKey): string {
  const text = key.kind === 'config' ? `config ${realPath(key.file)}` : `database ${key.path}`;
  return createHash('sha256').update(text).digest('hex').slice(0, NAME_DIGITS);
}

function realPath(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

/** Makes the folder and its base. Their parent must exist. Throws if they cannot be made, or are not private. */
export function makeProcessFolder(
  folder: string,
  own: number | undefined = process.getuid?.(),
): void {
  for (const each of [path.dirname(folder), folder]) {
    try {
      fs.mkdirSync(each, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const problem = problemWith(each, each === folder ? [own] : [own, 0]);
    if (problem !== undefined) throw new Error(`${each} ${problem}`);
  }
}

/** Whether only this user, root, or the user to whom root gave it can have made what is in a folder. */
export function isTrusted(folder: string, own: number | undefined = process.getuid?.()): boolean {
  const base = path.dirname(folder);
  const owners = [own, 0];
  if (problemWith(base, owners) === undefined) return problemWith(folder, owners) === undefined;
  // Only root can make a folder in /run. Root may ask the process of any user there.
  const owner = fs.lstatSync(base, { throwIfNoEntry: false })?.uid;
  const isGiven = path.dirname(base) === '/run' && own === 0;
  return isGiven && problemWith(base, [owner]) === undefined;
}

function problemWith(folder: string, owners: readonly (number | undefined)[]): string | undefined {
  const found = fs.lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) return 'does not exist';
  if (!found.isDirectory()) return 'is not a folder';
  if (!owners.includes(found.uid)) return `belongs to the user ${found.uid}`;
  return (found.mode & OTHERS_WRITE) === 0 ? undefined : 'can be written by others';
}
