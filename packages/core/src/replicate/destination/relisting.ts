/**
 * Decides when to list a destination again. Its files may be deleted, replaced by an older copy, or
 * continued by another writer, and only a listing shows that.
 *
 *  destination                      listed again
 *  any                              after an unexpected answer or a long outage
 *  remote                           every RELIST_IDLE_MS, or RELIST_MS after the last listing if a file was
 *                                   written since, less often with many files
 *  local folder                     every LOCAL_IDLE_MS, less often with many databases, or LOCAL_RELIST_MS after
 *                                   the last listing if a file was written since: this costs no request
 */

import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../error.ts';

export const RELIST_MS = 3_600_000;
/** An idle destination costs next to nothing. The first write after a pause is followed by a listing. */
export const RELIST_IDLE_MS: number = 24 * 3_600_000;
/** A listing takes one request per 1,000 files, so this allows one request an hour. */
const RELIST_MS_PER_FILE = 3_600;
/** In a folder in use, missing files are noticed within seconds. */
const LOCAL_RELIST_MS = 5_000;
const LOCAL_IDLE_MS = 60_000;
/** Such a listing takes some 4 ms of processor time, so all those of a process take 0.2 % of a core. */
const LOCAL_IDLE_MS_PER_DATABASE = 2_000;
/** Listing a folder takes about 0.1 ms of CPU per file, so this limits it to 0.025 % of a core. */
const LOCAL_RELIST_MS_PER_FILE = 400;
/** Maximum interval, regardless of the number of files. */
const RELIST_MS_MAX = 24 * 3_600_000;
/** After an outage of this length the destination may be a different disk or bucket. */
export const OUTAGE_MS = 60_000;

/** Errors that suggest that another process changed the destination, or that a listing was incomplete. */
const UNEXPECTED_CODES: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_CONFLICT',
  'REPLICA_NOT_FOUND',
  'REPLICA_CHANGED',
  'REPLICA_DESTINATION_NOT_FOUND',
  'REPLICA_NOT_LISTED',
]);

export class Relisting {
  readonly #clock: Clock;
  readonly #databases: () => number;
  #listedAt: number | undefined;
  #fileCount = 0;
  #hasWritten = false;
  #place: 'local' | 'remote' = 'remote';
  /** Whether a listing is required: after an unexpected answer, or because the last one has not ended well. */
  #isDemanded = false;
  #count = 0;

  /** `databases`: how many this process replicates. */
  constructor(clock: Clock, databases: () => number = () => 1) {
    this.#clock = clock;
    this.#databases = databases;
  }

  /** Number of listings that ended well. */
  get count(): number {
    return this.#count;
  }

  get isDemanded(): boolean {
    return this.#isDemanded;
  }

  listingBegan(place: 'local' | 'remote'): void {
    this.#place = place;
    this.#hasWritten = false;
    this.#isDemanded = true; // until `listed`
  }

  listed(fileCount: number): void {
    this.#count += 1;
    this.#fileCount = fileCount;
    this.#listedAt = this.#clock.monotonic();
    this.#isDemanded = false;
  }

  wrote(): void {
    this.#hasWritten = true;
  }

  demand(): void {
    this.#isDemanded = true;
  }

  failed(code: ErrorCode, failingSince: number | undefined): void {
    if (UNEXPECTED_CODES.has(code)) this.#isDemanded = true;
    const now = this.#clock.monotonic();
    if (failingSince !== undefined && now - failingSince >= OUTAGE_MS) this.#isDemanded = true;
  }

  /** 0 if a listing is due; Infinity before the first listing, which the lister starts itself. */
  dueInMs(): number {
    if (this.#listedAt === undefined) return Infinity;
    if (this.#isDemanded) return 0;
    const dueAt = this.#listedAt + this.#intervalMs();
    return Math.max(0, dueAt - this.#clock.monotonic());
  }

  #intervalMs(): number {
    const isLocal = this.#place === 'local';
    const idle = isLocal
      ? Math.max(LOCAL_IDLE_MS, this.#databases() * LOCAL_IDLE_MS_PER_DATABASE)
      : RELIST_IDLE_MS;
    const inUse = isLocal ? LOCAL_RELIST_MS : RELIST_MS;
    const perFile = isLocal ? LOCAL_RELIST_MS_PER_FILE : RELIST_MS_PER_FILE;
    const ms = Math.max(this.#hasWritten ? inUse : idle, this.#fileCount * perFile);
    return Math.min(ms, RELIST_MS_MAX);
  }
}
