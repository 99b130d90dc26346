/**
 * All files of one replica, by level, in about 32 bytes each: 100,000 files need a few MB. Within a level
 * they are sorted by (minTXID, maxTXID), the order of listings, so that adding a file is usually an append.
 */

import { highestOf, type TXID } from '../ltx/txid.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { LTXFileInfo } from './replica.ts';

/** Files of one level, sorted by (minTXID, maxTXID). */
export interface SortedFiles {
  readonly level: number;
  readonly length: number;
  minTXID(index: number): bigint;
  maxTXID(index: number): bigint;
  sizeBytes(index: number): number;
}

/** V8 keeps arrays of up to 64 bytes on its own heap, where they take a third of the memory. */
const CAPACITY_MIN = 4;
/** Grows by half: at most 48 bytes per file. */
const GROWTH = 1.5;

/** The listed LTX files of one replica, by level. */
export class FileSet {
  readonly #levels = new Map<number, Level>();

  static of(files: Iterable<LTXFileInfo>): FileSet {
    const set = new FileSet();
    for (const file of files) set.add(file);
    return set;
  }

  /** Adds a file, or replaces one with the same name. */
  add(file: LTXFileInfo): void {
    let level = this.#levels.get(file.level);
    if (level === undefined) this.#levels.set(file.level, (level = new Level(file.level)));
    level.add(file);
  }

  /** Removes a file if it is in the set. */
  remove(file: LTXFileRef): void {
    const level = this.#levels.get(file.level);
    level?.remove(file);
    if (level?.length === 0) this.#levels.delete(file.level);
  }

  /** All files, by level. */
  all(): LTXFileInfo[] {
    return [...this.#levels.values()].flatMap((level) => level.all());
  }

  /** Number of files. */
  get count(): number {
    return this.levels.reduce((sum, { length }) => sum + length, 0);
  }

  /** Total size of all files. */
  get sizeBytes(): number {
    let sum = 0;
    for (const level of this.#levels.values()) sum += level.totalBytes;
    return sum;
  }

  /** The levels with files. */
  get levels(): readonly SortedFiles[] {
    return [...this.#levels.values()];
  }

  /** The highest TXID of all levels; 0n if there are no files. */
  get highest(): bigint {
    return this.levels.reduce((highest, { level }) => highestOf(highest, this.topOf(level)), 0n);
  }

  has(file: LTXFileRef): boolean {
    return this.get(file) !== undefined;
  }

  get(file: LTXFileRef): LTXFileInfo | undefined {
    return this.#levels.get(file.level)?.get(file);
  }

  /** Keeps a listed file, but with size 0, which no plan uses. */
  markUnusable(file: LTXFileInfo): void {
    this.add({ ...file, sizeBytes: 0 });
  }

  /** Files that are in both sets, as they are in this one, with their sizes in `before`. */
  *common(before: FileSet): Generator<{ file: LTXFileInfo; sizeBefore: number }> {
    for (const [number, level] of this.#levels) {
      const other = before.#levels.get(number);
      if (other !== undefined) yield* level.common(other);
    }
  }

  /** The highest TXID of a level; 0n if it is empty. */
  topOf(level: number): bigint {
    return this.newestOf(level)?.maxTXID ?? 0n;
  }

  /** The file with the highest maxTXID of a level; undefined if it is empty. */
  newestOf(level: number): LTXFileInfo | undefined {
    return this.#levels.get(level)?.newest();
  }
}

class Level implements SortedFiles {
  readonly level: number;
  length = 0;
  totalBytes = 0;
  #min = new BigUint64Array(CAPACITY_MIN);
  #max = new BigUint64Array(CAPACITY_MIN);
  #size = new Float64Array(CAPACITY_MIN); // exact up to 2^53
  #modifiedAtMs = new Float64Array(CAPACITY_MIN);
  /** Index of the last file with the highest maxTXID. */
  #newest = -1;

  constructor(level: number) {
    this.level = level;
  }

  minTXID(index: number): bigint {
    return this.#min[index] ?? 0n;
  }

  maxTXID(index: number): bigint {
    return this.#max[index] ?? 0n;
  }

  sizeBytes(index: number): number {
    return this.#size[index] ?? 0;
  }

  add(file: LTXFileInfo): void {
    const index = this.#find(file);
    if (this.#isAt(index, file)) this.totalBytes -= this.sizeBytes(index);
    else this.#insert(index);
    this.totalBytes += file.sizeBytes;
    this.#min[index] = file.minTXID;
    this.#max[index] = file.maxTXID;
    this.#size[index] = file.sizeBytes;
    this.#modifiedAtMs[index] = file.modifiedAt.getTime();
    if (this.#newest < 0 || file.maxTXID >= this.maxTXID(this.#newest)) this.#newest = index;
  }

  remove(file: LTXFileRef): void {
    const index = this.#find(file);
    if (!this.#isAt(index, file)) return;
    this.totalBytes -= this.sizeBytes(index);
    for (const column of [this.#min, this.#max, this.#size, this.#modifiedAtMs]) {
      column.copyWithin(index, index + 1, this.length);
    }
    this.length -= 1;
    if (this.#newest > index) this.#newest -= 1;
    else if (this.#newest === index) this.#newest = this.#findNewest();
  }

  all(): LTXFileInfo[] {
    return Array.from({ length: this.length }, (_, index) => this.#infoOf(index));
  }

  get(file: LTXFileRef): LTXFileInfo | undefined {
    const index = this.#find(file);
    return this.#isAt(index, file) ? this.#infoOf(index) : undefined;
  }

  *common(before: Level): Generator<{ file: LTXFileInfo; sizeBefore: number }> {
    let at = 0;
    for (let index = 0; index < this.length; index++) {
      const file = this.#infoOf(index);
      while (at < before.length && before.#isBefore(at, file)) at += 1;
      if (before.#isAt(at, file)) yield { file, sizeBefore: before.sizeBytes(at) };
    }
  }

  newest(): LTXFileInfo | undefined {
    return this.#newest < 0 ? undefined : this.#infoOf(this.#newest);
  }

  #findNewest(): number {
    let newest = -1;
    for (let index = 0; index < this.length; index++) {
      if (newest < 0 || this.maxTXID(index) >= this.maxTXID(newest)) newest = index;
    }
    return newest;
  }

  #infoOf(index: number): LTXFileInfo {
    return {
      level: this.level,
      minTXID: this.minTXID(index) as TXID, // of a file that was added
      maxTXID: this.maxTXID(index) as TXID,
      sizeBytes: this.sizeBytes(index),
      modifiedAt: new Date(this.#modifiedAtMs[index] ?? 0),
    };
  }

  #isAt(index: number, file: LTXFileRef): boolean {
    return (
      index < this.length &&
      this.minTXID(index) === file.minTXID &&
      this.maxTXID(index) === file.maxTXID
    );
  }

  #isBefore(index: number, { minTXID, maxTXID }: LTXFileRef): boolean {
    const min = this.minTXID(index);
    return min < minTXID || (min === minTXID && this.maxTXID(index) < maxTXID);
  }

  /** The index of `file`, or the index at which to insert it. */
  #find(file: LTXFileRef): number {
    if (this.length === 0 || this.#isBefore(this.length - 1, file)) return this.length;
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, file)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(index: number): void {
    if (this.length === this.#min.length) this.#grow();
    for (const column of [this.#min, this.#max, this.#size, this.#modifiedAtMs]) {
      column.copyWithin(index + 1, index, this.length);
    }
    if (this.#newest >= index) this.#newest += 1;
    this.length += 1;
  }

  #grow(): void {
    const capacity = Math.ceil(this.length * GROWTH);
    const integers = (from: BigUint64Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> => {
      const to = new BigUint64Array(capacity);
      to.set(from);
      return to;
    };
    const numbers = (from: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(capacity);
      to.set(from);
      return to;
    };
    this.#min = integers(this.#min);
    this.#max = integers(this.#max);
    this.#size = numbers(this.#size);
    this.#modifiedAtMs = numbers(this.#modifiedAtMs);
  }
}
