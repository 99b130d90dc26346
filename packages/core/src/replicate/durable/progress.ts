/**
 * Decides, from the progress of the destinations, when the commits that someone waits for are cut, and
 * whether they are durable. Pure.
 *
 * While a file is on its way, commits that arrive are not cut: they go together into the next file, which
 * is cut as soon as enough destinations have the one before. So many callers cost few files, and nobody
 * waits longer than for one file on its way and its own.
 */

import type { DestinationActivity } from '../destination/health.ts';
import type { DestinationState } from '../destination/admission.ts';

/** One destination, as far as waiting for it is concerned. */
export interface DestinationProgress {
  readonly name: string;
  readonly state: DestinationState;
  /** Everything up to this TXID can be restored from it. */
  readonly txid: bigint | undefined;
  /** How long it has been failing; 0 if it is not. */
  readonly failingMs: number;
  /** How long the current step has made no progress; 0 if there is none. */
  readonly stalledMs: number;
  /** Message of its error while it is failing. */
  readonly error: string | undefined;
}

/** What is taken from an uploader. */
export interface ProgressSource {
  readonly name: string;
  readonly state: DestinationState;
  readonly replicatedTXID: bigint | undefined;
  readonly activity: Pick<DestinationActivity, 'failingMs' | 'stalledMs'>;
  readonly health: { readonly lastError: { readonly message: string } | undefined };
}

export function toProgress(source: ProgressSource): DestinationProgress {
  const { name, state, replicatedTXID: txid, activity, health } = source;
  const { failingMs, stalledMs } = activity;
  const error = state === 'failing' ? health.lastError?.message : undefined;
  return { name, state, txid, failingMs, stalledMs, error };
}

/** A destination with more files to send than this is slower than the others. */
const LAG_FILES_MAX = 4n;
/**
 * A slower destination delays a cut by at most this: destinations are independent, but small files would
 * come faster than it can take them. Without a destination that takes files, this is the time between cuts.
 */
export const CUT_INTERVAL_MS = 50;
/** Whatever the destinations do, waiting commits are cut after this, as by the default sync interval. */
export const UNCUT_MS_MAX = 1_000;
/** A destination whose upload has stood still for this long is not waited for. */
const STALLED_MS = 1_000;
/** A destination that has failed for this long, about four tries, counts as lost. */
export const LOST_MS = 5_000;

export interface CutInput {
  readonly destinations: readonly DestinationProgress[];
  /** The newest staged TXID. */
  readonly newest: bigint;
  /** The lowest number of destinations that one of the callers waits for. */
  readonly needed: number;
  /** Time since the last cut for callers. */
  readonly sinceCutMs: number;
  /** How long one of the callers has waited for a cut. */
  readonly waitedMs: number;
}

/** Whether the commits that callers wait for are cut now. */
export function isCutDue(input: CutInput): boolean {
  const { destinations, newest, needed, sinceCutMs, waitedMs } = input;
  if (waitedMs >= UNCUT_MS_MAX) return true;
  const taking = destinations.filter(isTaking);
  const idle = taking.filter(({ txid }) => txid >= newest);
  if (taking.length > 0 && idle.length < Math.min(needed, taking.length)) return false;
  const isOneSlow = taking.some(({ txid }) => newest - txid > LAG_FILES_MAX);
  return sinceCutMs >= CUT_INTERVAL_MS || (taking.length > 0 && !isOneSlow);
}

/** Whether it takes files at present. */
function isTaking(
  destination: DestinationProgress,
): destination is DestinationProgress & { readonly txid: bigint } {
  const { state, txid, stalledMs } = destination;
  return state === 'streaming' && txid !== undefined && stalledMs < STALLED_MS;
}

/** The destinations that have everything up to `txid`. */
export function holdersOf(
  txid: bigint,
  destinations: readonly DestinationProgress[],
): readonly DestinationProgress[] {
  return destinations.filter((destination) => (destination.txid ?? -1n) >= txid);
}

/** Whether `needed` destinations have everything up to `txid`, or can still get it. */
export function judge(
  { txid, needed }: { readonly txid: bigint; readonly needed: number },
  destinations: readonly DestinationProgress[],
): 'durable' | 'lost' | 'waiting' {
  const holders = holdersOf(txid, destinations);
  if (holders.length >= needed) return 'durable';
  const others = destinations.filter((each) => !holders.includes(each) && !isLost(each));
  return holders.length + others.length < needed ? 'lost' : 'waiting';
}

function isLost({ state, failingMs }: DestinationProgress): boolean {
  return state === 'closed' || (state === 'failing' && failingMs >= LOST_MS);
}
