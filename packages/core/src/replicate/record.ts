/**
 * `destinations.json` in the staging folder: the last file sent to each destination, by target, with
 * its lineage. It is written before a staged file is freed, so the record always includes files that
 * are gone from staging. If the record is lost, an image is taken.
 */

import path from 'node:path';
import { toStagingError } from '../database/staging/staging-error.ts';
import { readText, replaceText, systemFiles, type FileSystem } from '../file-system.ts';
import type { SentRecord } from './destination/admission.ts';

export class SentRecords {
  readonly #files: FileSystem;
  readonly #file: string;
  readonly #records = new Map<string, SentRecord>();
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
    for (const [key, record] of parseRecords(text)) this.#records.set(key, record);
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
    this.#dirty = true;
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
    const entries = [...this.#records].map(([key, { txid, sizeBytes, checksum, lineage }]) => [
      key,
      { txid: toHex(txid), sizeBytes, checksum, lineage: toHex(lineage) },
    ]);
    // No fsync: an old or missing record after a power loss is safe, it only causes an image.
    const text = `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
    await replaceText(this.#files, this.#file, text);
  }
}

/** The last file sent to `target`, as recorded in the staging folder `folder`. */
export async function lastSentTo(
  folder: string,
  target: string,
  files: FileSystem = systemFiles,
): Promise<Pick<SentRecord, 'txid' | 'lineage'> | undefined> {
  const records = new SentRecords(folder, files);
  await records.load();
  return records.get(target);
}

function parseRecords(text: string): Map<string, SentRecord> {
  const records = new Map<string, SentRecord>();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return records; // torn by a power loss: images will be taken
  }
  if (typeof value !== 'object' || value === null) return records;
  for (const [key, entry] of Object.entries(value as Record<string, unknown>)) {
    if (typeof entry !== 'object' || entry === null) continue;
    const { txid, sizeBytes, checksum, lineage } = entry as Record<string, unknown>;
    if (!isHex(txid) || typeof sizeBytes !== 'number' || typeof checksum !== 'string') continue;
    records.set(key, {
      txid: BigInt(`0x${txid}`),
      sizeBytes,
      checksum,
      lineage: isHex(lineage) ? BigInt(`0x${lineage}`) : 0n, // old records have no lineage
    });
  }
  return records;
}

function toHex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);
}
