/**
 * `destinations.json` in the staging folder: the last file sent to each destination, by target, with
 * its lineage. It is written before a staged file is freed, so the record always includes files that
 * are gone from staging. If the record is lost, an image is taken.
 *
 * `reseed`: the destination may be empty, and gets a full snapshot then (`sluice reseed`). It is removed before anything is
 * written there: if this process dies before the first file has arrived, somebody has to allow it again.
 *
 * For an encrypted destination `sealed` has the last encrypted files of level 0, and the last encrypted snapshots,
 * written before they are sent.
 */

import path from 'node:path';
import { LEVEL_SNAPSHOT } from '../history/levels.ts';
import { toStagingError } from '../database/staging/staging-error.ts';
import { readText, replaceText, systemFiles, type FileSystem } from '../file-system.ts';
import type { EmptyRoot } from '../store/client.ts';
import type { SentRecord } from './destination/admission.ts';
import type { SealedRecord } from './destination/sealer.ts';

/** A file is sent before the next one is encrypted; a few more cover retries after a restart. */
const SEALED_MAX = 4;

/**
 * Snapshots that retention may still rely on: ten months of daily ones, 12 days of hourly ones. About 45 KB, which
 * are written with each file that is encrypted.
 */
const SNAPSHOTS_MAX = 300;

export class SentRecords {
  readonly #files: FileSystem;
  readonly #file: string;
  readonly #records = new Map<string, SentRecord>();
  readonly #sealed = new Map<string, readonly SealedRecord[]>();
  readonly #reseeding = new Set<string>();
  /** Empty destinations that this process seeds, although it is not recorded any more that they may be empty. */
  readonly #seeding = new Set<string>();
  #writing: Promise<void> = Promise.resolve();
  #dirty = false;

  constructor(folder: string, files: FileSystem) {
    this.#files = files;
    this.#file = path.join(folder, 'destinations.json');
  }

  /** Throws STAGING_FAILED if the file exists but cannot be read. */
  async load(): Promise<void> {
    const text = await this.#read();
    if (text === undefined) return;
    for (const [key, entry] of parseEntries(text)) {
      const record = parseRecord(entry);
      if (record !== undefined) this.#records.set(key, record);
      if (entry['reseed'] === true) this.#reseeding.add(key);
      const sealed = parseSealed(entry['sealed']);
      if (sealed.length > 0) this.#sealed.set(key, sealed);
    }
  }

  async #read(): Promise<string | undefined> {
    try {
      return await readText(this.#files, this.#file);
    } catch (error) {
      throw toStagingError(`read ${this.#file}`, error);
    }
  }

  get(key: string): SentRecord | undefined {
    return this.#records.get(key);
  }

  /** Records of all destinations ever sent to, including ones no longer configured. */
  all(): SentRecord[] {
    return [...this.#records.values()];
  }

  /** The highest TXID that was sent to all of `keys`; 0n if one of them has no record. */
  lowestOf(keys: readonly string[]): bigint {
    const txids = keys.map((key) => this.#records.get(key)?.txid ?? 0n);
    return txids.length === 0 ? 0n : txids.reduce((a, b) => (b < a ? b : a));
  }

  set(key: string, record: SentRecord): void {
    this.#records.set(key, record);
    this.#reseeding.delete(key);
    this.#seeding.delete(key);
    this.#dirty = true;
  }

  /** What an empty folder means: its disk is not mounted, unless nothing was sent there or it may be seeded again. */
  emptyRoot(key: string): EmptyRoot | undefined {
    if (this.#reseeding.has(key) || this.#seeding.has(key)) return 'accept';
    return this.#records.has(key) ? 'refuse' : undefined;
  }

  /** Resolves when it is recorded that an empty destination may be seeded again. */
  async allowReseed(key: string): Promise<void> {
    const isNew = !this.#reseeding.has(key);
    this.#reseeding.add(key);
    this.#dirty = true;
    try {
      await this.save();
    } catch (error) {
      if (isNew) this.#reseeding.delete(key); // whoever allowed it is told that it is not
      throw error;
    }
  }

  /** For an uploader: `emptyRoot`, and what ends a reseed. */
  emptinessOf(key: string): {
    readonly emptyRoot: () => EmptyRoot | undefined;
    readonly onListed: (found: 'files' | 'nothing') => Promise<void>;
  } {
    return {
      emptyRoot: () => this.emptyRoot(key),
      onListed: async (found) => this.#endReseed(key, found),
    };
  }

  /**
   * From now on an empty folder is a disk that is not mounted. Resolves when that is recorded: after a crash nothing would
   * tell such a disk from a folder that may be seeded.
   */
  async #endReseed(key: string, found: 'files' | 'nothing'): Promise<void> {
    if (found === 'files') this.#seeding.delete(key);
    if (!this.#reseeding.delete(key)) return;
    if (found === 'nothing') this.#seeding.add(key);
    this.#dirty = true;
    try {
      await this.save();
    } catch (error) {
      this.#reseeding.add(key); // the next listing tries it again
      throw error;
    }
  }

  /** The last files that were encrypted for a destination: level 0, then snapshots, each newest first. */
  sealed(key: string): readonly SealedRecord[] {
    return this.#sealed.get(key) ?? [];
  }

  /** Resolves when the record is in the file. */
  async addSealed(key: string, record: SealedRecord): Promise<void> {
    const all = [record, ...this.sealed(key)];
    const snapshots = all.filter(isSnapshot).slice(0, SNAPSHOTS_MAX);
    const others = all.filter((each) => !isSnapshot(each)).slice(0, SEALED_MAX);
    this.#sealed.set(key, [...others, ...snapshots]);
    this.#dirty = true;
    await this.save();
  }

  /** Resolves when everything set before is in the file. After a failure the next save writes it. */
  async save(): Promise<void> {
    const writing = this.#writing.then(() => this.#write());
    this.#writing = writing.catch(() => undefined); // the caller gets the error below
    await writing;
  }

  async #write(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#replace();
    } catch (error) {
      this.#dirty = true;
      throw toStagingError(`write ${this.#file}`, error);
    }
  }

  async #replace(): Promise<void> {
    const keys = new Set([...this.#records.keys(), ...this.#sealed.keys(), ...this.#reseeding]);
    const entries = [...keys].map((key) => {
      const record = this.#records.get(key);
      const sealed = this.#sealed.get(key)?.map(toJSON);
      const reseed = this.#reseeding.has(key) ? { reseed: true } : {};
      return [key, { ...(record && toJSON(record)), ...(sealed && { sealed }), ...reseed }];
    });
    // No fsync: an old or missing record after a power loss is safe, it only causes an image.
    const text = `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
    await replaceText(this.#files, this.#file, text);
  }
}

/** The last file that was sent to a destination, and what it means if its folder is empty. */
export interface LastSent extends Pick<SentRecord, 'txid' | 'lineage'> {
  readonly emptyRoot?: EmptyRoot | undefined;
}

/** The last file sent to `target`, as recorded in the staging folder `folder`. */
export async function lastSentTo(
  folder: string,
  target: string,
  files: FileSystem = systemFiles,
): Promise<LastSent | undefined> {
  const records = new SentRecords(folder, files);
  await records.load();
  const sent = records.get(target);
  return sent && { ...sent, emptyRoot: records.emptyRoot(target) };
}

type Entry = Readonly<Record<string, unknown>>;

function parseEntries(text: string): [string, Entry][] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return []; // torn by a power loss: images will be taken
  }
  return isEntry(value)
    ? Object.entries(value).filter((pair): pair is [string, Entry] => isEntry(pair[1]))
    : [];
}

function parseRecord({
  txid,
  sizeBytes,
  checksum,
  lineage,
  level,
  minTXID,
  since,
}: Entry): SentRecord | undefined {
  if (!isHex(txid) || typeof sizeBytes !== 'number' || typeof checksum !== 'string')
    return undefined;
  return {
    txid: BigInt(`0x${txid}`),
    sizeBytes,
    checksum,
    lineage: isHex(lineage) ? BigInt(`0x${lineage}`) : 0n, // old records have no lineage
    ...(typeof level === 'number' && isHex(minTXID)
      ? { merged: { level, minTXID: BigInt(`0x${minTXID}`) } }
      : {}),
    ...(isHex(since) ? { since: BigInt(`0x${since}`) } : {}),
  };
}

function parseSealed(value: unknown): SealedRecord[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [];
  return entries.filter(isEntry).flatMap((entry) => {
    const record = parseRecord(entry);
    const { plainChecksum, pageSize } = entry;
    if (record === undefined || typeof plainChecksum !== 'string') return [];
    return [{ ...record, plainChecksum, pageSize: typeof pageSize === 'number' ? pageSize : 0 }];
  });
}

function isSnapshot({ merged }: SealedRecord): boolean {
  return merged?.level === LEVEL_SNAPSHOT;
}

function isEntry(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null;
}

function toJSON({ txid, lineage, merged, since, ...rest }: SentRecord): object {
  const begin = since !== undefined && { since: toHex(since) };
  const entry = { txid: toHex(txid), ...rest, lineage: toHex(lineage), ...begin };
  if (merged === undefined) return entry;
  return { ...entry, level: merged.level, minTXID: toHex(merged.minTXID) };
}

function toHex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);
}
