/** Events that a replicator process wrote, one line of JSON each, until it was killed. */

import fs from 'node:fs';

export interface HostEvent {
  readonly kind: 'log' | 'error' | 'replicated';
  readonly message?: string;
  readonly code?: string;
  /** Basis of a claim: a completed sync, the status, or a complete drain. */
  readonly by?: 'sync' | 'status' | 'drain';
  /** Index of the destination that had `txid` at time `at` (ms since 1970). */
  readonly destination?: number;
  readonly txid?: string;
  /** Values of `totals` before `txid` was requested, so it includes at least these. */
  readonly era?: number;
  readonly seq?: number;
  readonly rows?: number;
  readonly at?: number;
}

interface Moment {
  readonly era: number;
  readonly seq: number;
}

/** A claim that a destination has every transaction of the ledger up to `seq` of `era`. */
export interface Reported extends Moment {
  readonly txid: bigint;
  readonly rows: number;
  readonly at: number;
  /** Basis of the newest claim. */
  readonly by: string;
}

/** Whether `a` is earlier in the ledger than `b`. */
export function isOlder(a: Moment, b: Moment): boolean {
  return a.era === b.era ? a.seq < b.seq : a.era < b.era;
}

/** Error code of a replicator process that crashed. */
export const DIED = 'DIED';

export function readEvents(file: string): HostEvent[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HostEvent);
}

/** The claims about a destination, merged into the strongest one. */
export function reportedOf(
  events: readonly HostEvent[],
  destination: number,
): Reported | undefined {
  let most: Reported | undefined;
  for (const event of events) {
    if (event.kind !== 'replicated' || event.destination !== destination) continue;
    const { txid = '0', era = 0, seq = 0, rows = 0, at = 0, by = '' } = event;
    most = mostOf(most, { txid: BigInt(txid), era, seq, rows, at, by });
  }
  return most;
}

/** Merges two claims into the stronger one. */
export function mostOf(a: Reported | undefined, b: Reported): Reported {
  if (a === undefined) return b;
  const newer = isOlder(a, b) ? b : a;
  return {
    txid: a.txid > b.txid ? a.txid : b.txid,
    era: newer.era,
    seq: newer.seq,
    rows: newer.rows,
    at: Math.max(a.at, b.at),
    by: newer.by,
  };
}

/** How replication continued after a start, from the log: resumed, changed pages, or a full snapshot and its reason. */
export function beginningOf(events: readonly HostEvent[]): string {
  for (const { message = '' } of events) {
    if (message.startsWith('continuing after')) return RESUMED;
    if (message.includes('since the last run')) return COMPARED;
    if (message.startsWith('taking a full snapshot')) return message;
  }
  return UNDECIDED;
}

export const RESUMED = 'resumed';
const COMPARED = 'compared pages';
export const UNDECIDED = 'killed before it started';
