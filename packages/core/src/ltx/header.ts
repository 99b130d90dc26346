/**
 * The 100 bytes at the start of an LTX file (version 3, superfly/ltx). All integers big-endian.
 *
 *  off size field               off size field
 *    0   4  magic "LTX1"         40   8  pre-apply checksum
 *    4   4  flags                48   8  WAL offset
 *    8   4  page size            56   8  WAL size
 *   12   4  commit, in pages     64   4  WAL salt 1
 *   16   8  min TXID             68   4  WAL salt 2
 *   24   8  max TXID             72   8  node ID (0, or our lineage)
 *   32   8  timestamp, ms        80  20  reserved: zero; hashed, not checked
 *
 * Valid if and only if: flags has no bit set but NoChecksum; the page size is a power of two from
 * 512 to 65536; 1 <= min TXID <= max TXID; WAL offset and size are not negative; if there are salts
 * or a size, there is an offset; the pre-apply checksum is 0 for a snapshot and with NoChecksum,
 * and has bit 63 set otherwise.
 */

import { ReplicationError } from '../error.ts';
import { CHECKSUM_FLAG } from './checksum.ts';
import { formatTXID, toTXID, TXID_MAX, type TXID } from './txid.ts';

/** Size of a header. */
export const HEADER_SIZE_BYTES = 100;
/** Flag of a file without database checksums. Litestream writes no other files. */
export const FLAG_NO_CHECKSUM = 0x2;
const MAGIC = 0x4c545831; // "LTX1"
/** "age-": the start of an encrypted file. */
const AGE_MAGIC = 0x6167652d;
const UINT32_MAX = 0xffff_ffff;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
const INT64_MAX = 0x7fff_ffff_ffff_ffffn;

/** The header of an LTX file. docs/format.md describes the fields. */
export interface LTXHeader {
  readonly flags: number;
  /** Bytes per page: 512 to 65536, a power of two. */
  readonly pageSize: number;
  /** Size of the database in pages after this file. */
  readonly commit: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  /** Milliseconds since 1970, UTC. */
  readonly timestampMs: number;
  readonly preApplyChecksum: bigint;
  readonly walOffset: bigint;
  readonly walSize: bigint;
  readonly walSalt1: number;
  readonly walSalt2: number;
  /** 0 if unknown, else the lineage of the file. */
  readonly nodeID: bigint;
}

/** The 100 bytes of a header. LTX_INVALID or LTX_UNSUPPORTED if a field breaks a rule of the format. */
export function encodeHeader(header: LTXHeader): Uint8Array {
  validateHeader(header);
  const bytes = new Uint8Array(HEADER_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, header.flags);
  view.setUint32(8, header.pageSize);
  view.setUint32(12, header.commit);
  view.setBigUint64(16, header.minTXID);
  view.setBigUint64(24, header.maxTXID);
  view.setBigInt64(32, BigInt(header.timestampMs));
  view.setBigUint64(40, header.preApplyChecksum);
  view.setBigInt64(48, header.walOffset);
  view.setBigInt64(56, header.walSize);
  view.setUint32(64, header.walSalt1);
  view.setUint32(68, header.walSalt2);
  view.setBigUint64(72, header.nodeID);
  return bytes;
}

/**
 * LTX_TRUNCATED for less than 100 bytes, LTX_INVALID if a rule above is broken, LTX_UNSUPPORTED for
 * an unknown flag or an unknown version in the magic number, REPLICA_NO_IDENTITY for an encrypted file.
 */
export function decodeHeader(bytes: Uint8Array): LTXHeader {
  if (bytes.length < HEADER_SIZE_BYTES) {
    throw new ReplicationError('LTX_TRUNCATED', `LTX header has ${bytes.length} of 100 bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_SIZE_BYTES);
  checkMagic(view.getUint32(0));
  const header: LTXHeader = {
    flags: view.getUint32(4),
    pageSize: view.getUint32(8),
    commit: view.getUint32(12),
    minTXID: toTXID(view.getBigUint64(16)),
    maxTXID: toTXID(view.getBigUint64(24)),
    timestampMs: Number(view.getBigInt64(32)),
    preApplyChecksum: view.getBigUint64(40),
    walOffset: view.getBigInt64(48),
    walSize: view.getBigInt64(56),
    walSalt1: view.getUint32(64),
    walSalt2: view.getUint32(68),
    nodeID: view.getBigUint64(72),
  };
  validateHeader(header);
  return header;
}

/** Checks the rules above, and that every field fits into its bytes. */
export function validateHeader(header: LTXHeader): void {
  if (header.flags !== 0 && header.flags !== FLAG_NO_CHECKSUM) {
    throw unsupported(`flags ${header.flags}`);
  }
  if (!isPageSize(header.pageSize)) throw invalid(`page size ${header.pageSize}`);
  if (!isUint32(header.commit)) throw invalid(`commit ${header.commit}`);
  const { minTXID, maxTXID } = header;
  if (minTXID < 1n || minTXID > maxTXID || maxTXID > TXID_MAX) {
    throw invalid(`TXIDs ${formatTXID(minTXID)} to ${formatTXID(maxTXID)}`);
  }
  if (!Number.isSafeInteger(header.timestampMs)) throw invalid('timestamp out of range');
  if (header.nodeID < 0n || header.nodeID > UINT64_MAX) throw invalid(`node id ${header.nodeID}`);
  validateWAL(header);
  validatePreApply(header);
}

function validateWAL({ walOffset, walSize, walSalt1, walSalt2 }: LTXHeader): void {
  if (walOffset < 0n || walSize < 0n || walOffset > INT64_MAX || walSize > INT64_MAX) {
    throw invalid(`WAL offset ${walOffset} or size ${walSize} out of range`);
  }
  if (!isUint32(walSalt1) || !isUint32(walSalt2)) throw invalid('WAL salts out of range');
  const hasSalt = walSalt1 !== 0 || walSalt2 !== 0;
  if (walOffset === 0n && (hasSalt || walSize !== 0n)) {
    throw invalid('WAL salts or size without a WAL offset');
  }
}

function validatePreApply(header: LTXHeader): void {
  const checksum = header.preApplyChecksum;
  if (isSnapshot(header) || (header.flags & FLAG_NO_CHECKSUM) !== 0) {
    if (checksum !== 0n) throw invalid('pre-apply checksum in a file that must not have one');
  } else if ((checksum & CHECKSUM_FLAG) === 0n || checksum > UINT64_MAX) {
    throw invalid('pre-apply checksum without its flag bit');
  }
}

function checkMagic(magic: number): void {
  if (magic === MAGIC) return;
  if (magic === AGE_MAGIC) {
    throw new ReplicationError(
      'REPLICA_NO_IDENTITY',
      'LTX header: no identity: the file is encrypted with age; add encryption to the configuration of the ' +
        'destination, or for a URL set SLUICE_AGE_IDENTITY',
    );
  }
  const isOtherVersion = magic >>> 8 === MAGIC >>> 8;
  if (isOtherVersion) throw unsupported(`version "${String.fromCodePoint(magic & 0xff)}"`);
  throw invalid('the file does not start with "LTX1"');
}

/** A file whose min TXID is 1 is a snapshot by definition: it holds every page of the database. */
export function isSnapshot(header: { readonly minTXID: bigint }): boolean {
  return header.minTXID === 1n;
}

/** Whether SQLite allows this page size: a power of two from 512 to 65536. */
export function isPageSize(size: number): boolean {
  return Number.isInteger(size) && size >= 512 && size <= 65536 && (size & (size - 1)) === 0;
}

/** The page at 1 GiB, which SQLite uses for locks. It is never stored, and restored as zeros. */
export function lockPgno(pageSize: number): number {
  return 0x4000_0000 / pageSize + 1;
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= UINT32_MAX;
}

function unsupported(what: string): ReplicationError {
  return new ReplicationError('LTX_UNSUPPORTED', `LTX header: ${what} is not supported`);
}

function invalid(what: string): ReplicationError {
  return new ReplicationError('LTX_INVALID', `LTX header: ${what}`);
}
