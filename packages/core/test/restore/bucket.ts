/** Small buckets in memory, with database histories and arbitrary files. */

import fs from 'node:fs';
import path from 'node:path';
import { createKernel, type PageEncoding } from '../../src/kernel/kernel.ts';
import { toFileChecksum } from '../../src/ltx/checksum.ts';
import { LTXEncoder } from '../../src/ltx/encoder.ts';
import { FLAG_NO_CHECKSUM, lockPgno } from '../../src/ltx/header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import type { ReplicaFiles } from '../../src/replica/replica.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { keyOf } from '../../src/store/layout.ts';
import { memoryClient, MemoryStore, type MemoryOptions } from '../../src/store/memory.ts';
import { filesOf } from '../support/files-view.ts';
import type { Random } from '../support/random.ts';
import { timeOf } from './files.ts';

const kernel = createKernel();
const BATCH_PAGES_MAX = 16;
const FORGED_BATCH_PAGES = 1024;

export interface FileContent {
  readonly commit: number;
  readonly pages: ReadonlyMap<number, Uint8Array>;
  readonly pageSize: number;
  readonly nodeID?: bigint;
  readonly encoding?: PageEncoding;
  readonly timestamp?: Date;
}

/** The bytes of an LTX file. */
export function encodeFile(min: number, max: number, content: FileContent): Uint8Array {
  const { commit, pages, pageSize, nodeID = 0n, encoding = 'block' } = content;
  const encoder = new LTXEncoder(
    kernel,
    {
      flags: FLAG_NO_CHECKSUM,
      pageSize,
      commit,
      minTXID: toTXID(min),
      maxTXID: toTXID(max),
      timestampMs: (content.timestamp ?? timeOf(max)).getTime(),
      preApplyChecksum: 0n,
      walOffset: 32n,
      walSize: 0n,
      walSalt1: 0xffff_ffff,
      walSalt2: 0xffff_ffff,
      nodeID,
    },
    { encoding },
  );
  const chunks: Uint8Array[] = [encoder.start().slice()];
  const pgnos = [...pages.keys()].sort((a, b) => a - b);
  for (let at = 0; at < pgnos.length; at += BATCH_PAGES_MAX) {
    const batch = pgnos.slice(at, at + BATCH_PAGES_MAX);
    const bytes = Buffer.concat(batch.map((pgno) => pages.get(pgno) as Uint8Array));
    chunks.push(encoder.pages(Uint32Array.from(batch), bytes).slice());
  }
  chunks.push(encoder.finish().bytes);
  return new Uint8Array(Buffer.concat(chunks));
}

export interface ForgedContent extends Omit<FileContent, 'pages'> {
  readonly pgnos: readonly number[];
  /** Default 'right'. */
  readonly index?: 'right' | 'empty';
}

/** A file with any pages in any order and a valid checksum, which our encoder never writes. */
export function forgeFile(min: number, max: number, content: ForgedContent): Uint8Array {
  const { pgnos, pageSize, commit, index = 'right' } = content;
  const pages = new Map([[1, new Uint8Array(pageSize)]]);
  const header = encodeFile(max, max, { pageSize, commit: Math.max(commit, 1), pages }).slice(
    0,
    100,
  );
  const view = new DataView(header.buffer);
  view.setUint32(12, commit);
  view.setBigUint64(16, BigInt(min));
  const frames: Uint8Array[] = [];
  const entries: number[] = [];
  let offset = 100;
  let crc = kernel.crc64(header);
  for (let at = 0; at < pgnos.length; at += FORGED_BATCH_PAGES) {
    const numbers = Uint32Array.from(pgnos.slice(at, at + FORGED_BATCH_PAGES));
    const zeros = new Uint8Array(numbers.length * pageSize);
    const encoded = kernel.encodePages(numbers, zeros, pageSize, 'block', crc);
    frames.push(encoded.bytes.slice());
    for (const [i, size] of encoded.sizes.entries()) {
      entries.push(...[numbers[i] ?? 0, offset, size].flatMap(uvarint));
      offset += size;
    }
    crc = encoded.crc;
  }
  if (index === 'empty') entries.length = 0;
  // End of the pages, index with its zero byte, its length, post-apply checksum.
  const end = new Uint8Array(6 + entries.length + 1 + 8 + 8);
  end.set(entries, 6);
  new DataView(end.buffer).setBigUint64(6 + entries.length + 1, BigInt(entries.length + 1));
  const checksum = new Uint8Array(8);
  const value = toFileChecksum(kernel.crc64(end, crc));
  new DataView(checksum.buffer).setBigUint64(0, value);
  return new Uint8Array(Buffer.concat([header, ...frames, end, checksum]));
}

function uvarint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...uvarint(Math.floor(value / 0x80))];
}

export class Bucket {
  readonly store: MemoryStore = new MemoryStore();

  client(options: MemoryOptions = {}): ReplicaFiles {
    return filesOf(this.memory(options), '');
  }

  /** By keys. */
  memory(options: MemoryOptions = {}): ReplicaClient {
    return memoryClient({ store: this.store, ...options });
  }

  put(level: number, min: number, max: number, bytes: Uint8Array): void {
    const times = { modifiedAt: new Date(0), createdAt: timeOf(max) };
    this.store.put(this.key(level, min, max), bytes, times);
  }

  /** Bytes of a file, to be modified. */
  bytes(level: number, min: number, max: number): Uint8Array {
    const stored = this.store.objects.get(this.key(level, min, max));
    if (stored === undefined) throw new Error(`no ${this.key(level, min, max)}`);
    return stored.bytes;
  }

  remove(level: number, min: number, max: number): void {
    this.store.objects.delete(this.key(level, min, max));
  }

  key(level: number, min: number, max: number): string {
    return keyOf('tree', '', { level, minTXID: toTXID(min), maxTXID: toTXID(max) });
  }
}

/** A bucket with the files of a folder. */
export function bucketOf(folder: string): Bucket {
  const bucket = new Bucket();
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const key = path.relative(folder, file).split(path.sep).join('/');
    bucket.store.put(key, fs.readFileSync(file), { modifiedAt: new Date(0) });
  }
  return bucket;
}

/** The states of a database after each TXID, from 1. */
export class History {
  readonly pageSize: number;
  readonly #states: (readonly Uint8Array[])[] = [[]];
  readonly #changed: ReadonlySet<number>[] = [new Set()];

  constructor(pageSize: number) {
    this.pageSize = pageSize;
  }

  get last(): number {
    return this.#states.length - 1;
  }

  /** Commits a transaction: new pages, and the new size of the database. */
  commit(random: Random, size: number, changes: number): void {
    const before = this.#states.at(-1) ?? [];
    const changed = new Set<number>();
    for (let pgno = before.length + 1; pgno <= size; pgno++) changed.add(pgno);
    for (let i = 0; i < changes; i++) changed.add(random.int(1, size));
    const state = Array.from({ length: size }, (_, i) =>
      changed.has(i + 1) ? randomPage(random, this.pageSize) : (before[i] as Uint8Array),
    );
    this.#states.push(state);
    this.#changed.push(changed);
  }

  /** Commits a transaction after which the database has exactly these pages. */
  set(pages: readonly Uint8Array[]): void {
    const before = this.#states.at(-1) ?? [];
    const changed = pages.flatMap((page, i) => (page === before[i] ? [] : [i + 1]));
    this.#states.push(pages);
    this.#changed.push(new Set(changed));
  }

  state(txid: number): readonly Uint8Array[] {
    return this.#states[txid] ?? [];
  }

  /** The expected result of a restore to a TXID. */
  bytes(txid: number): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#states[txid] ?? []));
  }

  /** The pages in a file with these TXIDs; all pages if it starts with TXID 1. */
  content(min: number, max: number): FileContent {
    const state = this.#states[max] ?? [];
    const pages = new Map<number, Uint8Array>();
    for (let txid = min; txid <= max; txid++) {
      for (const pgno of this.#changed[txid] ?? []) {
        const page = state[pgno - 1];
        if (page !== undefined) pages.set(pgno, page);
      }
    }
    return { commit: state.length, pages, pageSize: this.pageSize };
  }

  /** All pages. */
  image(max: number): FileContent {
    const state = this.#states[max] ?? [];
    const pages = new Map(state.map((page, i) => [i + 1, page]));
    return { commit: state.length, pages, pageSize: this.pageSize };
  }
}

/** Partly compressible. */
function randomPage(random: Random, pageSize: number): Uint8Array {
  const page = new Uint8Array(pageSize).fill(random.int(0, 255));
  const end = random.chance(0.2) ? pageSize : random.int(0, pageSize);
  for (let i = random.int(0, end); i < end; i++) page[i] = random.int(0, 255);
  return page;
}

/** A history of `txids` transactions, never as large as the lock page. */
export function randomHistory(random: Random, pageSize: number, txids: number): History {
  const history = new History(pageSize);
  let size = random.int(1, 12);
  for (let txid = 1; txid <= txids; txid++) {
    if (random.chance(0.3)) size = Math.max(1, Math.min(size + random.int(-6, 6), 40));
    history.commit(random, size, random.int(0, 5));
  }
  if (size >= lockPgno(pageSize)) throw new Error('too large');
  return history;
}
