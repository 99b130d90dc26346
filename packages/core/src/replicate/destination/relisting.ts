/**
 * When a destination is listed again while we send there: what was sent may be deleted, replaced by
 * an older copy, or continued by another writer, and nobody tells.
 *
 *  destination                      listed again
 *  any                              each RELIST_MS, or more rarely where it holds very many files,
 *                                   and after a surprise or a long outage
 *  a folder of this machine         each LOCAL_IDLE_MS, and LOCAL_RELIST_MS after the listing
 *                                   before where something was written since: that costs no request
 */

import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../error.ts';

export const RELIST_MS = 3_600_000;
/** A listing is a request for each thousand files: so there are at most 60 of them in an hour. */
const RELIST_MS_PER_FILE = 60;
/** Files that vanish from a folder in use are missed within some seconds. */
const LOCAL_RELIST_MS = 5_000;
const LOCAL_IDLE_MS = 60_000;
/** A folder of many files is listed more rarely: each of them takes some 0.1 ms of processor, so this is 0.05 % of it. */
const LOCAL_RELIST_MS_PER_FILE = 200;
/** However many files there are. */
const RELIST_MS_MAX = 24 * 3_600_000;
/** What was out of reach for so long may be another disk or bucket when it answers again. */
export const OUTAGE_MS = 60_000;

/** Answers that somebody else's doing explains best. */
const SURPRISES: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_CONFLICT',
  'REPLICA_NOT_FOUND',
  'REPLICA_CHANGED',
  'REPLICA_DESTINATION_NOT_FOUND',
]);

export class Relisting {
  readonly #clock: Clock;
  #listedAt: number | undefined;
  #fileCount = 0;
  #wroteSince: 'nothing' | 'something' = 'nothing';
  #place: 'local' | 'remote' = 'remote';
  /** Whether something has happened after which it must be listed. */
  #isDemanded = false;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Listings that were begun, each of one request for each thousand files. */
  get count(): number {
    return this.#count;
  }

  get isDemanded(): boolean {
    return this.#isDemanded;
  }

  begins(place: 'local' | 'remote'): void {
    this.#count += 1;
    this.#place = place;
    this.#wroteSince = 'nothing';
  }

  listed(fileCount: number): void {
    this.#fileCount = fileCount;
    this.#listedAt = this.#clock.monotonic();
    this.#isDemanded = false;
  }

  wrote(): void {
    this.#wroteSince = 'something';
  }

  failed(code: ErrorCode, failingSince: number | undefined): void {
    if (SURPRISES.has(code)) this.#isDemanded = true;
    const now = this.#clock.monotonic();
    if (failingSince !== undefined && now - failingSince >= OUTAGE_MS) this.#isDemanded = true;
  }

  /** 0 where it is due; Infinity before the first listing, which is not asked for here. */
  dueInMs(): number {
    if (this.#listedAt === undefined) return Infinity;
    if (this.#isDemanded) return 0;
    const dueAt = this.#listedAt + this.#intervalMs();
    return Math.max(0, dueAt - this.#clock.monotonic());
  }

  #intervalMs(): number {
    const isLocal = this.#place === 'local';
    const least = this.#wroteSince === 'something' ? LOCAL_RELIST_MS : LOCAL_IDLE_MS;
    const perFile = isLocal ? LOCAL_RELIST_MS_PER_FILE : RELIST_MS_PER_FILE;
    const ms = Math.max(isLocal ? least : RELIST_MS, this.#fileCount * perFile);
    return Math.min(ms, RELIST_MS_MAX);
  }
}
