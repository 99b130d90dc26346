/** What a replicator process has told, line by line, up to the moment it was killed. */

import fs from 'node:fs';

export interface HostEvent {
  readonly kind: 'log' | 'error' | 'replicated';
  readonly message?: string;
  readonly code?: string;
  /** What a claim stands on: an awaited sync, what status says, or a complete drain. */
  readonly by?: 'sync' | 'status' | 'drain';
  /** Index of the destination that has `txid`, as the process saw it at `at` (ms since 1970). */
  readonly destination?: number;
  readonly txid?: string;
  /** What `totals` said before `txid` was asked for: so much is in it. */
  readonly era?: number;
  readonly seq?: number;
  readonly rows?: number;
  readonly at?: number;
}

interface Moment {
  readonly era: number;
  readonly seq: number;
}

/** A claim that everything up to a transaction of the ledger is at a destination. */
export interface Reported extends Moment {
  readonly txid: bigint;
  readonly rows: number;
  readonly at: number;
  /** What the newest of it stands on. */
  readonly by: string;
}

/** Whether `a` is of an earlier moment of the ledger than `b`. */
export function isOlder(a: Moment, b: Moment): boolean {
  return a.era === b.era ? a.seq < b.seq : a.era < b.era;
}

/** Code of the error with which a replicator process dies. */
export const DIED = 'DIED';

export function readEvents(file: string): HostEvent[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HostEvent);
}

/** All claims about a destination as one: the most that any of them says. */
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

/** What both say. */
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

/** How a start went on, as the replicator said: resumed, or with an image and why. */
export function beginningOf(events: readonly HostEvent[]): string {
  for (const { message = '' } of events) {
    if (message.startsWith('continuing after')) return RESUMED;
    if (message.startsWith('taking a full snapshot')) return message;
  }
  return UNDECIDED;
}

export const RESUMED = 'resumed';
export const UNDECIDED = 'killed before it had begun';
