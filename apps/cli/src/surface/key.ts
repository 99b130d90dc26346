/** One row of the table of keys. */

import { noted, WORKS, type Fate, type KnownBy } from './fate.ts';

/** Whose key it is. */
export type Scope = 'global' | 'database' | 'replica';

/** How its value is written. */
export type KeyType =
  | { readonly kind: 'text' }
  /** A text that is never shown. With `-file` behind the key, the name of a file that holds it. */
  | { readonly kind: 'secret' }
  | { readonly kind: 'duration'; readonly leastMs: number }
  | { readonly kind: 'size'; readonly leastBytes: number }
  | { readonly kind: 'number'; readonly least: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'map' }
  | { readonly kind: 'list' };

export interface Key {
  readonly scope: Scope;
  /** A dot goes down: logging.level. */
  readonly name: string;
  readonly type: KeyType;
  readonly help: string;
  readonly knownBy: KnownBy;
  readonly fate: Fate;
  /** The default, as it would be written. */
  readonly standard?: string | undefined;
  /** Kinds of destination it belongs to; undefined: to all. */
  readonly of?: readonly string[] | undefined;
  /** A value other than the default, in YAML: for the documentation and the test. */
  readonly example: string;
}

export const TEXT: KeyType = { kind: 'text' };
export const SECRET: KeyType = { kind: 'secret' };
export const BOOLEAN: KeyType = { kind: 'boolean' };
export const DURATION: KeyType = { kind: 'duration', leastMs: 0 };
/** A poll or a try each few milliseconds would only burn the processor. */
export const INTERVAL: KeyType = { kind: 'duration', leastMs: 10 };
/** A snapshot holds the whole database. */
export const SNAPSHOT_INTERVAL: KeyType = { kind: 'duration', leastMs: 1_000 };
/** Less would count the waits between two looks. */
export const MAX_LAG: KeyType = { kind: 'duration', leastMs: 1_000 };
export const COUNT: KeyType = { kind: 'number', least: 1 };
export const SIZE: KeyType = { kind: 'size', leastBytes: 0 };

export const NOTHING_IS_DELETED: Fate = noted('this version deletes nothing: more is kept');

type Rest = Partial<Pick<Key, 'knownBy' | 'fate' | 'standard' | 'of'>>;

/** What most rows have in common: Litestream 0.5 knows it, and it works. */
export function rowOf(
  scope: Scope,
): (name: string, type: KeyType, example: string, help: string, rest?: Rest) => Key {
  return (name, type, example, help, rest = {}) => ({
    scope,
    name,
    type,
    example,
    help,
    knownBy: '0.5',
    fate: WORKS,
    ...rest,
  });
}
