/** Cuts the tail into one L0 file. */

import { assert, ReplicationError } from '../../error.ts';
import type { Kernel, PageEncoding } from '../../kernel/kernel.ts';
import { lockPgno } from '../../ltx/header.ts';
import { formatTXID, type TXID } from '../../ltx/txid.ts';
import type { Random } from '../../random.ts';
import type { LogPlace } from '../../wal/frame.ts';
import type { WALReader } from '../../wal/reader.ts';
import type { ObservePages } from '../checksums/collected.ts';
import { encodePages, headerOf, type ReadPage } from './encode.ts';
import { grownPages, type Tail } from './tail.ts';

/** Reads the current version of page `pgno`, from the log if it is there, else from the file. */
export type ReadCurrent = (pgno: number) => Uint8Array;

export interface Cut {
  readonly txid: TXID;
  readonly pageSize: number;
  readonly commit: number;
  readonly timestampMs: number;
  /** See StagedEvent. */
  readonly since: number;
  readonly asOf: number;
  readonly tail: Tail;
  readonly grown: ReadonlyMap<number, Uint8Array>;
  readonly place: LogPlace;
  readonly lineage: bigint;
}

export interface CutInput {
  readonly txid: TXID;
  readonly pageSize: number;
  /** Database size in pages after the TXID before this one. */
  readonly commitBefore: number;
  /** Timestamp for the header, in ms since 1970. */
  readonly timestampMs: number;
  readonly since: number;
  readonly asOf: number;
  readonly place: LogPlace;
  readonly lineage: bigint;
  readonly readCurrent: ReadCurrent;
}

/**
 * Freezes a tail. Pages by which the database has grown without a frame are read now, while no frame
 * beyond the held ones can have been backfilled.
 */
export function beginCut(tail: Tail, input: CutInput): Cut {
  assert(!tail.isEmpty, 'a tail that is cut is not empty');
  const grown = new Map<number, Uint8Array>();
  for (const pgno of grownPages(tail, input.commitBefore, lockPgno(input.pageSize))) {
    grown.set(pgno, input.readCurrent(pgno));
  }
  return {
    txid: input.txid,
    pageSize: input.pageSize,
    commit: tail.commit,
    timestampMs: input.timestampMs,
    since: input.since,
    asOf: input.asOf,
    tail,
    grown,
    place: input.place,
    lineage: input.lineage,
  };
}

/**
 * Encodes the cut as the chunks of an LTX file. Spilled pages are read from the log, which must be
 * pinned; throws WAL_INVALID if the log has changed.
 */
export function encodeCut(
  cut: Cut,
  kernel: Kernel,
  encoding: PageEncoding,
  wal: WALReader,
  observe: ObservePages,
): Generator<Uint8Array, void> {
  const { tail, grown } = cut;
  const lock = lockPgno(cut.pageSize);
  const pgnos = Uint32Array.from([...tail.pgnos(), ...grown.keys()])
    .sort()
    .filter((pgno) => pgno !== lock);
  const header = headerOf({
    pageSize: cut.pageSize,
    commit: cut.commit,
    minTXID: cut.txid,
    maxTXID: cut.txid,
    timestampMs: cut.timestampMs,
    lineage: cut.lineage,
  });
  const read: ReadPage = (pgno, into) => {
    const page = grown.get(pgno) ?? tail.get(pgno);
    assert(page !== undefined, 'every page of a cut is held');
    if (typeof page !== 'number') {
      into.set(page);
      return;
    }
    assert(tail.log !== undefined, 'a spilled page has a log');
    if (wal.readPage(page, tail.log, into)) return;
    throw new ReplicationError(
      'WAL_INVALID',
      `read page ${pgno} of TXID ${formatTXID(cut.txid)}: frame ${page} of the WAL has changed since the commit; a full snapshot will be taken`,
    );
  };
  return encodePages(kernel, encoding, header, pgnos, read, observe);
}

/** 64 random bits for each image. Never 0, which means "unknown". */
export function drawLineage(random: Random): bigint {
  const lineage = random.bits64();
  return lineage === 0n ? 1n : lineage;
}
