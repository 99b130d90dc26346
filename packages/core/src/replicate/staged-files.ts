/**
 * The staged files of one database, for all its destinations. Files are added as the engine makes
 * them, and freed when no destination needs them or when staging is over its limit.
 */

import type { Clock } from '../clock.ts';
import type { StagedEvent } from '../database/events.ts';
import { readRoom, type Room, spareBytes } from '../database/staging/room.ts';
import type { FoundFile } from '../database/staging/staged-check.ts';
import { isFull } from '../database/staging/staging-error.ts';
import type { FileSystem } from '../file-system.ts';
import type { Logger } from '../store/backend.ts';
import { Backlog, toFoundIncrement, type StagedSnapshot, toIncrement } from './backlog.ts';
import { Retry } from './condition.ts';
import type { SnapshotScope } from './levels/snapshot-time.ts';
import type { SentRecords } from './record.ts';

/** A destination, as seen by staging. */
export interface Holder {
  readonly name: string;
  readonly releasableTXID: bigint;
  readonly replicatedTXID: bigint | undefined;
  /** Whether it can go on only from a full snapshot, and none is staged or being made for it. */
  readonly needsSnapshot: boolean;
  /** Whether it will get the staged snapshot, or a level of it needs it, and that is not done yet. */
  lacksSnapshot(snapshot: StagedSnapshot): boolean;
  /** The last snapshot that it refused; undefined if it does not refuse them. */
  readonly snapshotRefusal: { readonly txid: bigint } | undefined;
  readonly activity: {
    /** How long every try to send level 0 has failed; 0 if the last one succeeded. */
    readonly failingMs: number;
  };
}

export interface StagedFilesContext {
  readonly records: SentRecords;
  readonly files: FileSystem;
  /** The staging folder. */
  readonly folder: string;
  readonly maxBytes: number;
  /** undefined until the contents of the destinations are known; nothing is freed before that. */
  readonly holders: () => readonly Holder[] | undefined;
  /** Size of the staged merged files. */
  readonly mergedBytes: () => number;
  /** Level-0 files above this TXID are to be merged; undefined if nothing is merged. */
  readonly keepsAfter: () => bigint | undefined;
  /** Frees the staged merged files: there is no room for something more important. */
  readonly dropMerged: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: (error: unknown) => void;
}

/** Time that a slow destination gets to take files before they are freed to make room. */
const PRESSURE_MS = 2_000;
/** A destination that has failed for this long, in several tries, may lose its files to a snapshot. */
const FAILING_MS = 3_000;
/** Backoff for removing files and for recording them as sent. */
const RETRY_MS = { minMs: 1_000, maxMs: 60_000 };

export class StagedFiles {
  readonly backlog: Backlog = new Backlog();
  readonly #context: StagedFilesContext;
  /** By the monotonic clock. */
  readonly #startedAt: number;
  #snapshot: StagedSnapshot | undefined;
  /** Current limit: `maxBytes`, or less if the volume is short of space. */
  #affordableBytes: number;
  /** Names of destinations for which the warning in `#giveUp` was logged. */
  readonly #givenUp = new Set<string>();
  /** Files that no destination needs and that are not removed yet. */
  readonly #freed = new Set<string>();
  #removing: Promise<void> = Promise.resolve();
  /** When the current removal began, or the first of the failed tries. */
  #freeingSince: number | undefined;
  readonly #retry: Retry;
  #retryTimer: NodeJS.Timeout | undefined;
  #pressureTimer: NodeJS.Timeout | undefined;

  constructor(context: StagedFilesContext) {
    this.#context = context;
    this.#startedAt = context.clock.monotonic();
    this.#affordableBytes = context.maxBytes;
    this.#retry = new Retry(context.clock, RETRY_MS);
  }

  /** Since when files that may be freed are not removed, by the monotonic clock. */
  get freeingSince(): number | undefined {
    return this.#freeingSince;
  }

  /** The newest snapshot, while a destination still needs it. */
  get snapshot(): StagedSnapshot | undefined {
    return this.#snapshot;
  }

  /** The database was opened or reopened. Earlier snapshots are gone. */
  reset(files: readonly FoundFile[]): void {
    for (const { file } of files) this.#freed.delete(file.path); // staged again
    const known = new Map(this.backlog.files.map((file) => [file.path, file]));
    const found = files.map((each) =>
      toFoundIncrement(each, this.#startedAt, known.get(each.file.path)),
    );
    this.backlog.reset(found);
    this.#snapshot = undefined;
  }

  /** `scope`: which destinations get it, if it is a snapshot. */
  add(event: StagedEvent, scope?: SnapshotScope): void {
    if (event.content !== 'snapshot') {
      clearTimeout(this.#pressureTimer);
      this.backlog.add(toIncrement(event));
      return;
    }
    const { lineage, pageSize, timestampMs, file } = event;
    const { path, sizeBytes, maxTXID: txid } = file;
    const before = this.#snapshot;
    this.#snapshot = { txid, path, sizeBytes, lineage, pageSize, timestampMs, scope };
    this.#freed.delete(path); // an earlier snapshot may have had the same TXID and path
    if (before !== undefined && before.path !== path) this.#remove([before.path]);
  }

  /** A staged file was found to be missing. A destination that needs it must be seeded another way. */
  forget(path: string): void {
    this.backlog.forget(path);
    if (this.#snapshot?.path === path) this.#snapshot = undefined;
  }

  /** Reads the free space of the volume and adjusts the limit. */
  async measure(): Promise<void> {
    const { files, folder, maxBytes, mergedBytes } = this.#context;
    const room = await readRoom(files, folder);
    const stagedBytes = this.backlog.sizeBytes + mergedBytes();
    this.#affordableBytes = affordableBytes(maxBytes, stagedBytes, room);
  }

  /** Frees the files that no destination needs, and the oldest ones over the limit. */
  free(): void {
    this.#release(this.#affordableBytes);
  }

  /** Removes merged files, which are not counted here. */
  removeMerged(paths: readonly string[]): void {
    this.#remove(paths);
  }

  /** A new file found no room: after PRESSURE_MS, frees everything that a snapshot can replace. */
  onNoRoom(): void {
    clearTimeout(this.#pressureTimer);
    this.#pressureTimer = setTimeout(() => {
      this.#context.dropMerged();
      this.#release(0);
    }, PRESSURE_MS);
    this.#pressureTimer.unref();
  }

  /**
   * A full snapshot found no room: frees the files kept only for destinations that need one. While one
   * is being made no destination counts as needing one (Holder), since the files after it must stay.
   * If a destination waits for the snapshot, files kept only for failing destinations are freed too;
   * they get a snapshot when they recover. A periodic snapshot is not worth that.
   */
  onNoSnapshotRoom(): void {
    const holders = this.#context.holders() ?? [];
    const isAwaited = holders.some((holder) => holder.needsSnapshot && !hasFailedLong(holder));
    if (isAwaited) this.#context.dropMerged();
    this.#release(
      this.#affordableBytes,
      (holder) => holder.needsSnapshot || (isAwaited && hasFailedLong(holder)),
    );
  }

  /** Resolves after the last removal, whether or not it succeeded. Nothing is retried after that. */
  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#pressureTimer);
    await this.#removing;
  }

  /**
   * Destinations for which `needsSnapshot` returns true get a full snapshot and need none of the
   * staged files.
   */
  #release(maxBytes: number, needsSnapshot?: (holder: Holder) => boolean): void {
    const holders = this.#context.holders();
    if (holders === undefined) return;
    // Before files are released: afterwards more destinations may need a snapshot.
    const isDropped = (holder: Holder): boolean => needsSnapshot?.(holder) ?? false;
    const others = holders.filter((holder) => !isDropped(holder));
    const dropped = holders.filter((holder) => isDropped(holder) && !holder.needsSnapshot);
    const plan = planRelease({
      files: this.backlog.files,
      maxBytes: Math.max(0, maxBytes - this.#context.mergedBytes()),
      // A snapshot that finds no room is worth more than a merge: it contains the files.
      keepsAfter: needsSnapshot === undefined ? this.#context.keepsAfter() : undefined,
      holders: holders.map((holder) => ({
        name: holder.name,
        releasable: holder.releasableTXID,
        needs: others.includes(holder) ? 'staged files' : 'snapshot',
      })),
      snapshot: this.#snapshot,
    });
    const released = this.backlog.release(plan.releaseTo);
    const newest = released.at(-1);
    if (newest !== undefined) {
      const lagging = dropped.filter(({ releasableTXID }) => releasableTXID < newest.txid);
      this.#giveUp([...plan.lagging, ...lagging.map(({ name }) => name)], holders, maxBytes);
    }
    const paths = released.map((file) => file.path);
    if (this.#snapshot !== undefined && !isNeeded(this.#snapshot, others)) {
      paths.push(this.#snapshot.path);
      this.#snapshot = undefined;
    }
    if (paths.length > 0) this.#remove(paths);
  }

  /** Logs a warning once for each destination, and again only after it has caught up. */
  #giveUp(lagging: readonly string[], holders: readonly Holder[], maxBytes: number): void {
    const oldest = this.backlog.files[0]?.txid ?? 0n;
    for (const { name, releasableTXID } of holders) {
      if (releasableTXID + 1n >= oldest) this.#givenUp.delete(name);
    }
    const names = lagging.filter((name) => !this.#givenUp.has(name));
    if (names.length === 0) return;
    for (const name of names) this.#givenUp.add(name);
    this.#context.logger.warn(
      `staging is full: ${names.join(', ')} will get a full snapshot instead`,
      {
        maxBytes,
      },
    );
  }

  #remove(paths: readonly string[]): void {
    for (const path of paths) this.#freed.add(path);
    if (this.#retry.waitMs > 0) return; // the pending retry removes them too
    this.#removing = this.#removing.then(() => this.#removeFreed());
  }

  /** Never rejects. A failure is reported once and retried. */
  async #removeFreed(): Promise<void> {
    if (this.#freed.size === 0 && this.#freeingSince === undefined) return;
    const { clock, files, records, report } = this.#context;
    this.#freeingSince ??= clock.monotonic();
    try {
      await this.#saveUnlessFull();
      for (const path of this.#freed) {
        await files.remove(path);
        this.#freed.delete(path);
      }
      await records.save();
      this.#retry.succeeded();
      this.#freeingSince = undefined;
    } catch (error) {
      if (!this.#retry.isFailing) report(error);
      this.#retryTimer = setTimeout(() => {
        this.#removing = this.#removing.then(() => this.#removeFreed());
      }, this.#retry.failed());
      this.#retryTimer.unref();
    }
  }

  /**
   * The record is saved before files are freed. If the volume has no room for it, files are freed
   * first and the record follows. A crash in between only causes an extra image at the next start.
   */
  async #saveUnlessFull(): Promise<void> {
    try {
      await this.#context.records.save();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
}

function hasFailedLong({ activity }: Holder): boolean {
  return activity.failingMs >= FAILING_MS;
}

/** Whether a destination lacks the snapshot and does not refuse it. */
function isNeeded(snapshot: StagedSnapshot, holders: readonly Holder[]): boolean {
  return holders.some(
    (holder) =>
      holder.replicatedTXID === undefined ||
      (holder.lacksSnapshot(snapshot) && (holder.snapshotRefusal?.txid ?? 0n) < snapshot.txid),
  );
}

// --- which staged files to release so that staging stays within its limit; pure ---

export interface ReleasePoint {
  readonly name: string;
  /** It no longer needs staged files up to this TXID. */
  readonly releasable: bigint;
  /** 'snapshot': it can go on only from a full snapshot, and none is staged or being made. */
  readonly needs: 'staged files' | 'snapshot';
}

interface File {
  readonly txid: bigint;
  readonly sizeBytes: number;
  readonly content: 'increment' | 'image';
}

export interface BudgetInput {
  readonly files: readonly File[];
  readonly maxBytes: number;
  readonly holders: readonly ReleasePoint[];
  /** Files above this TXID are to be merged and stay while there is room. */
  readonly keepsAfter?: bigint | undefined;
  /** The staged snapshot, from which a lagging destination can be seeded. */
  readonly snapshot?: { readonly txid: bigint } | undefined;
}

export interface BudgetDecision {
  /** Files up to this TXID can be removed. */
  readonly releaseTo: bigint;
  /** Destinations that still needed one of those files and will get a full snapshot. */
  readonly lagging: readonly string[];
}

/**
 * Releases files that no destination needs. If that is not enough, releases the oldest files that only
 * the slowest destinations need, and then all other files that are useless to those destinations: they
 * continue from a full snapshot and the files after it. The next snapshot contains everything staged
 * now, so a destination that needs it needs none of these files.
 */
export function planRelease(input: BudgetInput): BudgetDecision {
  const { files, maxBytes } = input;
  const newest = files.at(-1)?.txid ?? 0n;
  const holders = input.holders.map((holder) =>
    holder.needs === 'snapshot' && holder.releasable < newest
      ? { ...holder, releasable: newest }
      : holder,
  );
  const unneeded = lowest(holders.map(({ releasable }) => releasable)) ?? 0n;
  const { keepsAfter } = input;
  const isKept = keepsAfter !== undefined && keepsAfter < unneeded;
  const needed = releaseForLimit(files, isKept ? keepsAfter : unneeded, maxBytes);
  const lagging = holders.filter(({ releasable }) => releasable < needed);
  if (lagging.length === 0) return { releaseTo: needed, lagging: [] };
  const seed = seedAbove(input, needed);
  const wanted = holders.map((holder) => (holder.releasable < needed ? seed : holder.releasable));
  const releaseTo = lowest(wanted) ?? needed;
  return {
    releaseTo: releaseTo > needed ? releaseTo : needed,
    lagging: lagging.map(({ name }) => name),
  };
}

/**
 * Size limit of staging, given the free space of the volume: `maxBytes`, or less if that would use the
 * volume's reserve. If other programs already use the reserve: half of staged plus free space.
 */
export function affordableBytes(maxBytes: number, stagedBytes: number, room: Room): number {
  const half = (stagedBytes + room.availableBytes) / 2;
  return Math.min(maxBytes, Math.max(stagedBytes + spareBytes(room), half));
}

/** The TXID up to which files must be released to meet the limit. The newest file always stays. */
function releaseForLimit(files: readonly File[], unneeded: bigint, maxBytes: number): bigint {
  let releaseTo = unneeded;
  let kept = files
    .filter(({ txid }) => txid > releaseTo)
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const newest = files.at(-1);
  for (const file of files) {
    if (kept <= maxBytes || file === newest) break;
    if (file.txid <= releaseTo) continue;
    releaseTo = file.txid;
    kept -= file.sizeBytes;
  }
  return releaseTo;
}

/** A destination that lacks files up to `needed` cannot use files up to the returned TXID. */
function seedAbove({ files, snapshot }: BudgetInput, needed: bigint): bigint {
  const image = files.findLast(({ txid, content }) => content === 'image' && txid > needed);
  const fromImage = image === undefined ? undefined : image.txid - 1n;
  const fromSnapshot =
    snapshot !== undefined && snapshot.txid >= needed ? snapshot.txid : undefined;
  const seeds = [fromImage, fromSnapshot].filter((seed) => seed !== undefined);
  return highest(seeds) ?? files.at(-1)?.txid ?? needed;
}

function highest(txids: readonly bigint[]): bigint | undefined {
  return txids.reduce<bigint | undefined>((a, b) => (a !== undefined && a > b ? a : b), undefined);
}

function lowest(txids: readonly bigint[]): bigint | undefined {
  return txids.reduce<bigint | undefined>((a, b) => (a !== undefined && a < b ? a : b), undefined);
}
