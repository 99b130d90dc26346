/** What one destination holds of one database: listed once, then kept up by our own writes. */

import type { LTXFileInfo, LTXFileRef } from '../replica/client.ts';

/** Levels between the files as written and the snapshots. */
export const MERGED_LEVELS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];
export const SNAPSHOT_LEVEL = 9;

export interface LevelTop {
  readonly maxTXID: bigint;
  readonly minTXID: bigint;
  readonly sizeBytes: number;
  /** When the newest file of the level was uploaded, by the server's clock. */
  readonly modifiedAtMs: number;
}

/** The newest file of each level that has any. */
export type Manifest = ReadonlyMap<number, LevelTop>;

export const EMPTY_MANIFEST: Manifest = new Map();

export function addToManifest(manifest: Manifest, file: LTXFileInfo): Manifest {
  const top = manifest.get(file.level);
  if (top !== undefined && top.maxTXID > file.maxTXID) return manifest;
  const { minTXID, maxTXID, sizeBytes } = file;
  const modifiedAtMs = file.modifiedAt.getTime();
  return new Map(manifest).set(file.level, { minTXID, maxTXID, sizeBytes, modifiedAtMs });
}

/** The highest TXID of a level; 0n where it is empty. */
export function topOf(manifest: Manifest, level: number): bigint {
  return manifest.get(level)?.maxTXID ?? 0n;
}

/** The highest TXID at any level; 0n where there is no file at all. */
export function highestOf(manifest: Manifest): bigint {
  let highest = 0n;
  for (const top of manifest.values()) if (top.maxTXID > highest) highest = top.maxTXID;
  return highest;
}

export function hasFile(manifest: Manifest, file: LTXFileRef): boolean {
  return topOf(manifest, file.level) >= file.maxTXID;
}
