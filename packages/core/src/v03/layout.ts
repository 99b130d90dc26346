/**
 * Keys of a backup of Litestream 0.3, the same at every type of destination:
 *
 *  <root>/generations/<G>/snapshots/<I>.snapshot.lz4      a copy of the database file
 *  <root>/generations/<G>/wal/<I>_<O>.wal.lz4             a part of the WAL
 *
 *  G  generation, 16 hex digits: one uninterrupted history
 *  I  index, 8 hex digits, up to 7fffffff: number of the WAL; it rises when SQLite restarts the WAL
 *  O  offset, 8 to 16 hex digits: position of the part in its WAL, before compression
 *
 * All digits are lower case. Offsets from 4 GiB on have more than 8 digits, so keys do not sort by
 * offset. A snapshot with index I is continued by the WAL with index I, from offset 0.
 */

import { objectPrefix } from '../store/layout.ts';

/** A snapshot or a part of a WAL, by its key. */
export type V03Name = { readonly generation: string; readonly index: number } & (
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'segment'; readonly offset: number }
);

const INDEX_MAX = 0x7fff_ffff;

/** A position in a generation, for comparison. */
export interface V03Position {
  readonly index: number;
  readonly offset: number;
}

/** The prefix of all keys of a backup. */
export function generationsPrefix(root: string): string {
  return objectPrefix(root, 'generations/');
}

/** The generation below which a key is, whether Litestream 0.3 would use the key or not. */
export function generationOfKey(root: string, key: string): string | undefined {
  const prefix = generationsPrefix(root);
  if (!key.startsWith(prefix)) return undefined;
  return /^([0-9a-f]{16})\/./.exec(key.slice(prefix.length))?.[1];
}

/** What a key names; undefined for any other key. */
export function parseV03Key(root: string, key: string): V03Name | undefined {
  const generation = generationOfKey(root, key);
  if (generation === undefined) return undefined;
  const name = key.slice(generationsPrefix(root).length + generation.length);
  const snapshot = /^\/snapshots\/([0-9a-f]{8})\.snapshot\.lz4$/.exec(name);
  const segment = /^\/wal\/([0-9a-f]{8})_([0-9a-f]{8,16})\.wal\.lz4$/.exec(name);
  const index = Number.parseInt(snapshot?.[1] ?? segment?.[1] ?? '', 16);
  if (!(index <= INDEX_MAX)) return undefined;
  if (snapshot !== null) return { kind: 'snapshot', generation, index };
  const offset = Number.parseInt(segment?.[2] ?? '', 16);
  return Number.isSafeInteger(offset) ? { kind: 'segment', generation, index, offset } : undefined;
}

/** The key below the generations, for messages: "0123456789abcdef/wal/00000001_00001038.wal.lz4". */
export function describeV03(name: V03Name): string {
  const file =
    name.kind === 'snapshot'
      ? `snapshots/${formatIndex(name.index)}.snapshot.lz4`
      : `wal/${formatIndex(name.index)}_${formatOffset(name.offset)}.wal.lz4`;
  return `${name.generation}/${file}`;
}

/** As Litestream prints an index. */
export function formatIndex(index: number): string {
  return index.toString(16).padStart(8, '0');
}

/** As Litestream prints an offset in a key. */
function formatOffset(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}

/** "00000001:00001038" */
export function formatPosition({ index, offset }: V03Position): string {
  return `${formatIndex(index)}:${formatOffset(offset)}`;
}

export function comparePositions(a: V03Position, b: V03Position): number {
  return a.index - b.index || a.offset - b.offset;
}
