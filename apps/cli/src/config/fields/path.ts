/** Paths of databases and folders on this machine. */

import path from 'node:path';
import { expandHome } from '@sluice/core/backend';
import { hasControlCharacter } from '../../control-characters.ts';

/** Litestream accepts and removes it. */
export const SQLITE_SCHEME: RegExp = /^sqlite3?:\/\//;

/** The absolute path, which identifies the database everywhere. */
export function toDatabasePath(written: string): string {
  return path.resolve(expandHome(written.replace(SQLITE_SCHEME, '')));
}

export function problemWithPath(written: string): string | undefined {
  if (hasControlCharacter(written)) {
    return `${JSON.stringify(written)} contains a line break or another control character`;
  }
  if (/^~[^/]/.test(written)) {
    return `${written}: only ~ and ~/… are expanded; write the full path`;
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) return `${written} is a URL; write a path`;
  return path.resolve(expandHome(written)) === path.resolve('/')
    ? `${written} is the root of the file system`
    : undefined;
}

/** What somebody meant who wrote a text in the place of a destination. */
export function hintForText(item: unknown): string {
  if (typeof item !== 'string' || item === '') return '';
  return `: write { ${item.includes('://') ? 'url' : 'path'}: … }`;
}
