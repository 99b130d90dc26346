/** A history of a database in a bucket of the S3 test server, and the bytes of its states. */

import {
  BATCH_BYTES_MAX,
  createKernel,
  FLAG_NO_CHECKSUM,
  formatFilename,
  LTXEncoder,
  toTXID,
} from '@sluice/core/ltx';
import type { RunningS3 } from '../servers/s3/index.ts';

const PAGE_SIZE = 4096;
const BATCH_PAGES = BATCH_BYTES_MAX / PAGE_SIZE;
const kernel = createKernel();

export interface Shape {
  readonly pages: number;
  readonly txids: number;
  /** Of each transaction after the first. */
  readonly changes: number;
}

/** Each state is the one before it with some other pages. The same shape gives the same bytes. */
export class S3History {
  readonly root = 'db';
  readonly #server: RunningS3;
  readonly #shape: Shape;

  constructor(server: RunningS3, shape: Shape) {
    this.#server = server;
    this.#shape = shape;
  }

  /** Adds a file at this level; a file from TXID 1 has all pages. Returns its key. */
  put(level: number, min: number, max: number, times: Partial<Times> = {}): string {
    const key = this.keyOf(level, min, max);
    const { at = timeOf(max), uploadedAt = at } = times;
    this.#server.raw.put(key, this.#encode(min, max, at), uploadedAt);
    return key;
  }

  keyOf(level: number, min: number, max: number): string {
    const name = formatFilename(toTXID(min), toTXID(max));
    return `${this.root}/${String(level).padStart(4, '0')}/${name}`;
  }

  /** Flips a bit in the middle of a file. */
  damage(level: number, min: number, max: number): void {
    const key = this.keyOf(level, min, max);
    const stored = this.#server.raw.get(key);
    if (stored === undefined) throw new Error(`no ${key}`);
    const bytes = Buffer.from(stored.bytes);
    const middle = bytes.length >>> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    this.#server.raw.put(key, bytes, timeOf(max));
  }

  /** The database after this transaction. */
  bytes(txid: number): Buffer {
    const versions = this.#versions(1, txid);
    const pages = Array.from({ length: this.#shape.pages }, (_, index) =>
      pageOf(index + 1, versions.get(index + 1) ?? 1),
    );
    return Buffer.concat(pages);
  }

  #encode(min: number, max: number, at: Date): Uint8Array {
    const versions = this.#versions(min, max);
    const encoder = new LTXEncoder(kernel, {
      flags: FLAG_NO_CHECKSUM,
      pageSize: PAGE_SIZE,
      commit: this.#shape.pages,
      minTXID: toTXID(min),
      maxTXID: toTXID(max),
      timestampMs: at.getTime(),
      preApplyChecksum: 0n,
      walOffset: 32n,
      walSize: 0n,
      walSalt1: 0xffff_ffff,
      walSalt2: 0xffff_ffff,
      nodeID: 0n,
    });
    const chunks: Uint8Array[] = [encoder.start().slice()];
    const pgnos = [...versions.keys()].sort((a, b) => a - b);
    for (let from = 0; from < pgnos.length; from += BATCH_PAGES) {
      const batch = pgnos.slice(from, from + BATCH_PAGES);
      const pages = Buffer.concat(batch.map((pgno) => pageOf(pgno, versions.get(pgno) ?? 1)));
      chunks.push(encoder.pages(Uint32Array.from(batch), pages).slice());
    }
    chunks.push(encoder.finish().bytes);
    return Buffer.concat(chunks);
  }

  /** The pages that these transactions change, each with the last one that did. */
  #versions(min: number, max: number): Map<number, number> {
    const { pages, changes } = this.#shape;
    const versions = new Map<number, number>();
    if (min === 1) for (let pgno = 1; pgno <= pages; pgno++) versions.set(pgno, 1);
    for (let txid = Math.max(min, 2); txid <= max; txid++) {
      for (let change = 0; change < changes; change++) {
        versions.set(1 + ((txid * 7919 + change * 104_729) % pages), txid);
      }
    }
    return versions;
  }
}

interface Times {
  /** In the header. */
  readonly at: Date;
  /** In the listing. */
  readonly uploadedAt: Date;
}

const EPOCH_MS = Date.parse('2026-01-31T12:00:00Z');

/** One transaction every 30 s. */
export function timeOf(txid: number): Date {
  return new Date(EPOCH_MS + txid * 30_000);
}

/** Half of it does not compress. */
function pageOf(pgno: number, version: number): Buffer {
  const page = Buffer.alloc(PAGE_SIZE, pgno % 256);
  let state = (Math.imul(pgno, 0x9e37_79b1) ^ Math.imul(version, 0x85eb_ca6b)) | 1;
  for (let at = 0; at < PAGE_SIZE / 2; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    page.writeInt32LE(state, at);
  }
  return page;
}
