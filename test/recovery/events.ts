/** What a replicator host has told, line by line, up to the moment it was killed. */

import fs from 'node:fs';

export interface HostEvent {
  readonly kind: 'log' | 'error' | 'replicated';
  readonly message?: string;
  /** Index of the destination that has `txid`, as the host saw it at `at` (ms since 1970). */
  readonly destination?: number;
  readonly txid?: string;
  /** What `totals` said before `txid` was asked for: so much is in it. */
  readonly seq?: number;
  readonly rows?: number;
  readonly at?: number;
}

/** A report that everything up to a transaction of the ledger is at a destination. */
export interface Reported {
  readonly txid: bigint;
  readonly seq: number;
  readonly rows: number;
  readonly at: number;
}

export function readEvents(file: string): HostEvent[] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as HostEvent);
}

export function lastReported(
  events: readonly HostEvent[],
  destination: number,
): Reported | undefined {
  const last = events.findLast(
    (event) => event.kind === 'replicated' && event.destination === destination,
  );
  if (last === undefined) return undefined;
  const { txid = '0', seq = 0, rows = 0, at = 0 } = last;
  return { txid: BigInt(txid), seq, rows, at };
}

/** How a start went on, as the replicator said: resumed, or with an image and why. */
export function beginningOf(events: readonly HostEvent[]): string {
  for (const { message = '' } of events) {
    if (message.startsWith('going on after')) return RESUMED;
    if (message.startsWith('taking an image')) return message;
  }
  return UNDECIDED;
}

export const RESUMED = 'resumed';
export const UNDECIDED = 'killed before it had begun';
