/**
 * The file `checksums`: the checksums of all pages at one TXID (the base), and then one record for each
 * later file, so that a cut costs only the pages in it. Little-endian.
 *
 *   base:    magic | u32 page size | u32 pages | u64 TXID | u64 checksum of the staged file | u64 lineage
 *            | u64 seed | u64 device | u64 inode | u64 birth time or 0 | 8 bytes a page | u64 CRC
 *   record:  u64 TXID | u64 checksum of the staged file | u32 pages | u32 count | count x u32 page number
 *            | count x 8 bytes | u64 CRC
 *
 * Each CRC covers everything before it except other CRCs. The file names the staged file that it
 * describes by TXID and checksum. If that is not the newest staged file, it proves nothing: a record is
 * written before its file is staged, and may be all that is left of it.
 */

import type { Kernel } from '../../kernel/kernel.ts';
import type { FileIdentity } from '../continuity/evidence.ts';
import { CHECKSUMMED_PAGES_MAX, ChecksumTable, type PageChecksums } from './checksum-table.ts';

/** The staged file whose state the checksums describe. */
export interface DescribedFile {
  readonly txid: bigint;
  readonly fileChecksum: bigint;
}

export interface ChecksumBase extends DescribedFile {
  readonly lineage: bigint;
  /** The database file that the checksums belong to. */
  readonly file: FileIdentity;
  readonly table: ChecksumTable;
}

export interface ChecksumRecord extends DescribedFile, PageChecksums {
  /** Database size in pages after this file. */
  readonly commit: number;
}

const MAGIC = Buffer.from('SLUICES1');
const BASE_BYTES = MAGIC.length + 64;
const RECORD_BYTES = 24;
const CRC_BYTES = 8;

export interface EncodedPart {
  readonly chunks: readonly Uint8Array[];
  /** The CRC at its end, from which the next part continues. */
  readonly crc: bigint;
}

export function encodeBase(base: ChecksumBase, kernel: Kernel): EncodedPart {
  const { table, file } = base;
  const head = new Uint8Array(BASE_BYTES);
  const view = new DataView(head.buffer);
  head.set(MAGIC);
  view.setUint32(8, table.pageSize, true);
  view.setUint32(12, table.pages, true);
  const numbers = [base.txid, base.fileChecksum, base.lineage, table.seed];
  const identity = [file.device, file.inode, file.bornNs ?? 0n];
  for (const [index, value] of [...numbers, ...identity].entries()) {
    view.setBigUint64(16 + 8 * index, value, true);
  }
  return withCRC([head, bytesOf(table.words)], 0n, kernel);
}

/** `crc`: the CRC of the part before. */
export function encodeRecord(record: ChecksumRecord, crc: bigint, kernel: Kernel): EncodedPart {
  const head = new Uint8Array(RECORD_BYTES);
  const view = new DataView(head.buffer);
  view.setBigUint64(0, record.txid, true);
  view.setBigUint64(8, record.fileChecksum, true);
  view.setUint32(16, record.commit, true);
  view.setUint32(20, record.pgnos.length, true);
  return withCRC([head, bytesOf(record.pgnos), bytesOf(record.words)], crc, kernel);
}

/**
 * The checksums at `staged`, the newest staged file. A string tells why there are none: the file is damaged,
 * belongs to another staged file, or is older.
 */
export function parseChecksums(
  bytes: Uint8Array,
  staged: DescribedFile,
  kernel: Kernel,
): ChecksumBase | string {
  const reader = new PartReader(bytes, kernel);
  const base = parseBase(reader);
  if (base === undefined) return 'the file is damaged';
  let at: DescribedFile = base;
  while (at.txid < staged.txid) {
    const record = parseRecord(reader);
    if (record === undefined) return 'the file ends before the newest staged file';
    if (record.txid !== at.txid + 1n) return 'the file leaves out a staged file';
    base.table.apply(record, record.commit);
    at = record;
  }
  if (at.txid !== staged.txid) return 'the file is newer than the newest staged file';
  if (at.fileChecksum !== staged.fileChecksum) return 'the file describes another staged file';
  return { ...base, ...at };
}

function parseBase(reader: PartReader): ChecksumBase | undefined {
  const head = reader.take(BASE_BYTES);
  if (head === undefined || Buffer.compare(head.subarray(0, MAGIC.length), MAGIC) !== 0) {
    return undefined;
  }
  const view = viewOf(head);
  const [pageSize, pages] = [view.getUint32(8, true), view.getUint32(12, true)];
  const words = pages > CHECKSUMMED_PAGES_MAX ? undefined : reader.takeWords(2 * pages);
  if (words === undefined || !reader.endsPart()) return undefined;
  const number = (index: number): bigint => view.getBigUint64(16 + 8 * index, true);
  const born = number(6);
  return {
    txid: number(0),
    fileChecksum: number(1),
    lineage: number(2),
    table: new ChecksumTable(pageSize, number(3), words),
    file: { device: number(4), inode: number(5), bornNs: born === 0n ? undefined : born },
  };
}

function parseRecord(reader: PartReader): ChecksumRecord | undefined {
  const head = reader.take(RECORD_BYTES);
  if (head === undefined) return undefined;
  const view = viewOf(head);
  const count = view.getUint32(20, true);
  const pgnos = reader.takeWords(count);
  const words = reader.takeWords(2 * count);
  if (pgnos === undefined || words === undefined || !reader.endsPart()) return undefined;
  return {
    txid: view.getBigUint64(0, true),
    fileChecksum: view.getBigUint64(8, true),
    commit: view.getUint32(16, true),
    pgnos,
    words,
  };
}

/** Reads parts, and checks the CRC at the end of each. */
class PartReader {
  readonly #bytes: Uint8Array;
  readonly #kernel: Kernel;
  #at = 0;
  #start = 0;
  #crc = 0n;

  constructor(bytes: Uint8Array, kernel: Kernel) {
    this.#bytes = bytes;
    this.#kernel = kernel;
  }

  /** undefined if fewer bytes are left. */
  take(length: number): Uint8Array | undefined {
    if (this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  takeWords(count: number): Uint32Array | undefined {
    const bytes = this.take(4 * count);
    return bytes === undefined ? undefined : new Uint32Array(new Uint8Array(bytes).buffer);
  }

  /** Whether the CRC of the part is right. */
  endsPart(): boolean {
    const part = this.#bytes.subarray(this.#start, this.#at);
    const stored = this.take(CRC_BYTES);
    if (stored === undefined) return false;
    this.#crc = this.#kernel.crc64(part, this.#crc);
    this.#start = this.#at;
    return viewOf(stored).getBigUint64(0, true) === this.#crc;
  }
}

function withCRC(chunks: readonly Uint8Array[], before: bigint, kernel: Kernel): EncodedPart {
  const crc = chunks.reduce((sum, chunk) => kernel.crc64(chunk, sum), before);
  const end = new Uint8Array(CRC_BYTES);
  new DataView(end.buffer).setBigUint64(0, crc, true);
  return { chunks: [...chunks, end], crc };
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
