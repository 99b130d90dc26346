/**
 * The rate of commits and the sizes of files, from the files of a destination. Pure.
 *
 * A file of level 0 has one TXID, so TXIDs count the files of level 0 that were ever written, including
 * those that were merged and deleted.
 */

export interface ObservedFile {
  readonly level: number;
  readonly minTXID: bigint;
  readonly maxTXID: bigint;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

export interface Observation {
  /** Files of level 0 an hour. */
  readonly filesPerHour: number;
  /** Average size of a file of level 0 with changes; undefined if there is none. */
  readonly bytesPerFile: number | undefined;
  readonly snapshotBytes: number;
  readonly observedMs: number;
}

/** A file of level 0 of at least this part of a full snapshot is one itself, or a bulk change. */
const IMAGE_PART = 0.5;
const HOUR_MS = 3_600_000;

/** undefined if there is no full snapshot, or no time has passed since the first file. */
export function observe(files: readonly ObservedFile[], now: Date): Observation | undefined {
  const snapshots = files.filter(({ minTXID }) => minTXID === 1n);
  const newest = maxBy(snapshots, ({ maxTXID }) => maxTXID);
  const oldest = minBy(files, ({ modifiedAt }) => modifiedAt.getTime());
  if (newest === undefined || oldest === undefined) return undefined;
  const observedMs = now.getTime() - oldest.modifiedAt.getTime();
  if (observedMs <= 0) return undefined;
  const top = files.reduce((highest, { maxTXID }) => (maxTXID > highest ? maxTXID : highest), 0n);
  const small = files.filter(
    ({ level, sizeBytes }) => level === 0 && sizeBytes < newest.sizeBytes * IMAGE_PART,
  );
  const smallBytes = small.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    filesPerHour: Number(top - oldest.maxTXID) / (observedMs / HOUR_MS),
    bytesPerFile: small.length === 0 ? undefined : smallBytes / small.length,
    snapshotBytes: newest.sizeBytes,
    observedMs,
  };
}

function maxBy<Item>(items: readonly Item[], of: (item: Item) => bigint): Item | undefined {
  return items.reduce<Item | undefined>(
    (best, item) => (best === undefined || of(item) > of(best) ? item : best),
    undefined,
  );
}

function minBy<Item>(items: readonly Item[], of: (item: Item) => number): Item | undefined {
  return items.reduce<Item | undefined>(
    (best, item) => (best === undefined || of(item) < of(best) ? item : best),
    undefined,
  );
}
