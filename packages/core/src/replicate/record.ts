/**
 * `destinations.json` in the staging folder: what was sent last to each destination, by its target,
 * and of which lineage. It is written before a staged file is freed, so a file that is gone from
 * staging is always in the record. Losing it is safe: then an image is taken.
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

  /** STAGING_FAILED where the file is there and cannot be read. */
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

  /** Of all places that were ever sent to, also of those that are not configured any more. */
  all(): SentRecord[] {
    return [...this.#records.values()];
  }

  /** What was sent to each of `keys` at least; 0n where nothing is known of one. */
  lowestOf(keys: readonly string[]): bigint {
    const txids = keys.map((key) => this.#records.get(key)?.txid ?? 0n);
    return txids.length === 0 ? 0n : txids.reduce((a, b) => (b < a ? b : a));
  }

  set(key: string, record: SentRecord): void {
    this.#records.set(key, record);
    this.#dirty = true;
  }

  /** Resolves when everything that was set before is in the file. What could not be written is with the next. */
  async save(): Promise<void> {
    const writing = this.#writing.then(() => this.#write());
    this.#writing = writing.catch(() => undefined); // whoever waited for it is told
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
    // Not fsynced: after a power loss it is old or gone, which is only more careful.
    const text = `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
    await replaceText(this.#files, this.#file, text);
  }
}

/** What was sent to a destination last, as the staging folder `folder` tells. */
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
    return records; // torn by a power loss: nothing is recorded, images will be taken
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
      lineage: isHex(lineage) ? BigInt(`0x${lineage}`) : 0n, // of before it was recorded
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
