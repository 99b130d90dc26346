/**
 * The position: where in the log the newest staged L0 file ends, and evidence of the database file
 * at that time.
 *
 * The file `position` is written before the L0 file is renamed, and is valid only if its TXID equals
 * that of the newest staged L0 file. So it never covers frames that are not staged.
 */

import type { WALChecksumState } from '../../kernel/kernel.ts';
import { formatTXID, parseTXID, type TXID } from '../../ltx/txid.ts';
import type { LogPlace } from '../../wal/frame.ts';
import type { FileEvidence } from './evidence.ts';

export interface Position {
  readonly txid: TXID;
  readonly pageSize: number;
  /** Database size in pages after this TXID. */
  readonly commit: number;
  /** Number of its last frame; 0 if the log was empty. */
  readonly frame: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Cumulative checksum after that frame. */
  readonly checksum: WALChecksumState;
  readonly lineage: bigint;
  /** Evidence of the database file at that time; undefined if the file was being changed. */
  readonly file: FileEvidence | undefined;
  /** Whether the whole log was backfilled, and the file unchanged for longer than one step of its clock. */
  readonly atRest: boolean;
}

/** The fields that describe the staged file of a position. */
export type Staged = Pick<Position, 'txid' | 'pageSize' | 'commit' | 'lineage'>;

const VERSION = 2;

/** Builds the position of a staged file from its place in the log and the evidence of the database file. */
export function toPosition(
  { txid, pageSize, commit, lineage }: Staged,
  place: LogPlace,
  { file, atRest }: Pick<Position, 'file' | 'atRest'>,
): Position {
  return {
    txid,
    pageSize,
    commit,
    lineage,
    frame: place.header === undefined ? 0 : place.frame,
    salt1: place.header?.salt1 ?? 0,
    salt2: place.header?.salt2 ?? 0,
    checksum: place.checksum,
    file,
    atRest,
  };
}

export function formatPosition(position: Position): string {
  const { file } = position;
  const value = {
    version: VERSION,
    txid: formatTXID(position.txid),
    pageSize: position.pageSize,
    commit: position.commit,
    frame: position.frame,
    salts: [position.salt1, position.salt2],
    checksum: [position.checksum.s0, position.checksum.s1],
    lineage: position.lineage.toString(16),
    file: file === undefined ? null : formatEvidence(file),
    atRest: position.atRest,
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** The position in `text`; undefined if it is not valid, so that nothing is proved. */
export function parsePosition(text: string): Position | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const [salt1, salt2] = value['salts'] as [number, number];
    const [s0, s1] = value['checksum'] as [number, number];
    const { pageSize, commit, frame } = value as Record<'pageSize' | 'commit' | 'frame', number>;
    const numbers = [salt1, salt2, s0, s1, pageSize, commit, frame];
    if (value['version'] !== VERSION || !numbers.every((n) => Number.isSafeInteger(n) && n >= 0)) {
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
      file: value['file'] === null ? undefined : parseEvidence(value['file']),
      atRest: value['atRest'] === true,
    };
  } catch {
    return undefined; // not a position: a full snapshot will be taken, which needs none
  }
}

export function isSamePosition(a: Position | undefined, b: Position): boolean {
  return a !== undefined && formatPosition(a) === formatPosition(b);
}

/** Formats 64-bit numbers as text, because JSON would round them. */
function formatEvidence(file: FileEvidence): Record<string, string | null> {
  return {
    device: file.device.toString(),
    inode: file.inode.toString(),
    bornNs: file.bornNs?.toString() ?? null,
    sizeBytes: file.sizeBytes.toString(),
    modifiedNs: file.modifiedNs.toString(),
    changedNs: file.changedNs.toString(),
    firstPage: file.firstPage.toString(16),
  };
}

function parseEvidence(value: unknown): FileEvidence {
  const fields = value as Record<string, string | null>;
  const number = (name: string): bigint => {
    const text = fields[name];
    if (typeof text !== 'string') throw new TypeError(`${name} is missing`);
    return BigInt(text);
  };
  return {
    device: number('device'),
    inode: number('inode'),
    bornNs: fields['bornNs'] === null ? undefined : number('bornNs'),
    sizeBytes: number('sizeBytes'),
    modifiedNs: number('modifiedNs'),
    changedNs: number('changedNs'),
    firstPage: BigInt(`0x${String(fields['firstPage'])}`),
  };
}
