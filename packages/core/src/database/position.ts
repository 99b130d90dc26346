/**
 * Where in the log the newest staged L0 file ends, and what proves at a start that nothing is
 * missing between it and the log that lies there now.
 *
 * The file `position` is written before the L0 file gets its name, and is valid only if its TXID is
 * that of the newest staged L0: so it never claims frames that are not staged.
 */

import { formatTXID, parseTXID, type TXID } from '../ltx/txid.ts';
import type { WALChecksumState } from '../kernel/kernel.ts';
import type { FrameHeader } from '../wal/frame.ts';
import type { WALHeader } from '../wal/header.ts';

export interface Position {
  readonly txid: TXID;
  readonly pageSize: number;
  /** Database size in pages after this TXID. */
  readonly commit: number;
  /** Number of the last frame in it; 0 where the log had none yet. */
  readonly frame: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Cumulative checksum after that frame. */
  readonly checksum: WALChecksumState;
  readonly lineage: bigint;
}

export function formatPosition(position: Position): string {
  return `${JSON.stringify(
    {
      version: 1,
      txid: formatTXID(position.txid),
      pageSize: position.pageSize,
      commit: position.commit,
      frame: position.frame,
      salts: [position.salt1, position.salt2],
      checksum: [position.checksum.s0, position.checksum.s1],
      lineage: position.lineage.toString(16),
    },
    undefined,
    2,
  )}\n`;
}

/** The position in `text`, or undefined where it is none: then nothing is proved. */
export function parsePosition(text: string): Position | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const [salt1, salt2] = value['salts'] as [number, number];
    const [s0, s1] = value['checksum'] as [number, number];
    const { pageSize, commit, frame } = value as Record<'pageSize' | 'commit' | 'frame', number>;
    const numbers = [salt1, salt2, s0, s1, pageSize, commit, frame];
    if (value['version'] !== 1 || !numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) {
      return undefined;
    }
    return {
      txid: parseTXID(String(value['txid'])),
      pageSize,
      commit,
      frame,
      salt1,
      salt2,
      checksum: { s0, s1 },
      lineage: BigInt(`0x${String(value['lineage'])}`),
    };
  } catch {
    return undefined; // not a position, whatever it is: an image will be taken, which needs none
  }
}

export type Continuity =
  | { readonly proved: true }
  | { readonly proved: false; readonly why: string };

/** What a start has found, once the first reader has begun (design: proof (a) and (b)). */
export interface StartEvidence {
  readonly position: Position | undefined;
  readonly newestStaged: TXID | undefined;
  readonly pageSize: number;
  readonly header: WALHeader | undefined;
  /** Committed frames, as SQLite says. */
  readonly log: number;
  /** The frame at the position's number, as it lies there now. */
  readonly frame: FrameHeader | undefined;
}

/** Whether the log that lies there now contains, unchanged, what the position says that we have. */
export function proveContinuity(evidence: StartEvidence): Continuity {
  const { position, header, frame } = evidence;
  if (position === undefined) return no('there is no position from an earlier run');
  if (position.txid !== evidence.newestStaged)
    return no('the position is not that of the newest staged file');
  if (position.pageSize !== evidence.pageSize) return no('the page size has changed');
  if (position.frame === 0) return no('the log was empty when the last file was made');
  if (header === undefined) return no('the WAL is gone or empty');
  if (header.salt1 !== position.salt1 || header.salt2 !== position.salt2) {
    return no('the log has restarted since');
  }
  if (evidence.log < position.frame) return no('the log is shorter than what was replicated');
  if (frame === undefined || frame.salt1 !== position.salt1 || frame.salt2 !== position.salt2) {
    return no('the last replicated frame is no longer in the log');
  }
  if (frame.checksum.s0 !== position.checksum.s0 || frame.checksum.s1 !== position.checksum.s1) {
    return no('the last replicated frame has been written over');
  }
  return { proved: true };
}

function no(why: string): Continuity {
  return { proved: false, why };
}
