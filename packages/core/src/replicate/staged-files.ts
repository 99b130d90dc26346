/**
 * What is staged of one database, for all its destinations: added as the engine makes it, freed when
 * no destination wants it any more, or when it is more than may be kept for the slowest.
 */

import type { Clock } from '../clock.ts';
import type { StagedEvent } from '../database/events.ts';
import { readRoom, type Room, spareBytes } from '../database/staging/room.ts';
import type { FoundFile } from '../database/staging/staged-check.ts';
import { isFull } from '../database/staging/staging-error.ts';
import type { FileSystem } from '../file-system.ts';
import type { Logger } from '../store/backend.ts';
import { Backlog, foundIncrement, type StagedSnapshot, toIncrement } from './backlog.ts';
import { Retry } from './condition.ts';
import type { SentRecords } from './record.ts';

/** A destination, as far as staging must know it. */
export interface Holder {
  readonly name: string;
  readonly releasableTXID: bigint;
  readonly replicatedTXID: bigint | undefined;
  /** Only a full snapshot helps it, and none for it is staged or being made. */
  readonly needsSnapshot: boolean;
  readonly newestSnapshot: { readonly txid: bigint } | undefined;
  /** The snapshot that it refused last, where it refuses them. */
  readonly snapshotRefusal: { readonly txid: bigint } | undefined;
}

export interface StagedFilesContext {
  readonly records: SentRecords;
  readonly files: FileSystem;
  /** The staging folder. */
  readonly folder: string;
  readonly maxBytes: number;
  /** undefined before it is known what they have: nothing is freed then. */
  readonly holders: () => readonly Holder[] | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly report: (error: unknown) => void;
}

/** A destination that is slow is given this to take files, before those that it lacks are freed for new ones. */
const PRESSURE_MS = 2_000;
/** Files that could not be removed, or of which it could not be recorded that they were sent. */
const RETRY_MS = { minMs: 1_000, maxMs: 60_000 };

export class StagedFiles {
  readonly backlog: Backlog = new Backlog();
  readonly #context: StagedFilesContext;
  #snapshot: StagedSnapshot | undefined;
  /** What may be staged, by the limit and by what the volume has. */
  #affordableBytes: number;
  /** Destinations of which it was said that they will be seeded by a snapshot. */
  readonly #givenUp = new Set<string>();
  /** Files that nobody wants, and that are still there. */
  readonly #freed = new Set<string>();
  #removing: Promise<void> = Promise.resolve();
  /** Since when files are being removed, or every try to do it has failed. */
  #freeingSince: number | undefined;
  readonly #retry: Retry;
  #retryTimer: NodeJS.Timeout | undefined;
  #pressureTimer: NodeJS.Timeout | undefined;

  constructor(context: StagedFilesContext) {
    this.#context = context;
    this.#affordableBytes = context.maxBytes;
    this.#retry = new Retry(context.clock, RETRY_MS);
  }

  /** Since when what may be freed is not; by the monotonic clock. */
  get freeingSince(): number | undefined {
    return this.#freeingSince;
  }

  /** The newest snapshot, while a destination still wants it. */
  get snapshot(): StagedSnapshot | undefined {
    return this.#snapshot;
  }

  /** Of a database that was opened (again): snapshots of before are gone. */
  reset(files: readonly FoundFile[]): void {
    for (const { file } of files) this.#freed.delete(file.path); // it is freed again, if it is
    this.backlog.reset(files.map(foundIncrement));
    this.#snapshot = undefined;
  }

  add(event: StagedEvent): void {
    if (event.content !== 'snapshot') {
      clearTimeout(this.#pressureTimer);
      this.backlog.add(toIncrement(event));
      return;
    }
    const { lineage, pageSize, timestampMs, file } = event;
    const { path, sizeBytes, maxTXID: txid } = file;
    const before = this.#snapshot;
    this.#snapshot = { txid, path, sizeBytes, lineage, pageSize, timestampMs };
    this.#freed.delete(path); // one may have been made before at the same TXID
    if (before !== undefined && before.path !== path) this.#remove([before.path]);
  }

  /** Of a file that was found to be gone: whoever wants it must be seeded in another way. */
  forget(path: string): void {
    this.backlog.forget(path);
    if (this.#snapshot?.path === path) this.#snapshot = undefined;
  }

  /** Looks at the volume: others may need what staging takes of it. */
  async measure(): Promise<void> {
    const { files, folder, maxBytes } = this.#context;
    const room = await readRoom(files, folder);
    this.#affordableBytes = affordableBytes(maxBytes, this.backlog.sizeBytes, room);
  }

  /** Frees what no destination wants, and what is too much to keep. */
  free(): void {
    this.#release(this.#affordableBytes);
  }

  /** There is no room for what is new: all that can be had of a snapshot instead is freed, soon. */
  lacksRoom(): void {
    clearTimeout(this.#pressureTimer);
    this.#pressureTimer = setTimeout(() => this.#release(0), PRESSURE_MS);
    this.#pressureTimer.unref();
  }

  /**
   * There was no room for a full snapshot: what is kept only for destinations that need one is freed.
   * While one is being made nobody needs one (Holder), since the files that follow it must stay.
   */
  lacksSnapshotRoom(): void {
    this.#release(this.#affordableBytes, ({ needsSnapshot }) => needsSnapshot);
  }

  /** Resolves when what was freed is removed, or could not be. After that nothing is tried again. */
  async close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#pressureTimer);
    await this.#removing;
  }

  /** Those that are `needy` get a full snapshot, and want nothing that is staged now. */
  #release(maxBytes: number, needy: (holder: Holder) => boolean = () => false): void {
    const holders = this.#context.holders();
    if (holders === undefined) return;
    const plan = planRelease({
      files: this.backlog.files,
      maxBytes,
      holders: holders.map((holder) => ({
        name: holder.name,
        releasable: holder.releasableTXID,
        needs: needy(holder) ? 'snapshot' : 'staged files',
      })),
      snapshot: this.#snapshot,
    });
    const paths = this.backlog.release(plan.releaseTo).map((file) => file.path);
    if (paths.length > 0) this.#giveUp(plan.laggards, holders, maxBytes);
    const others = holders.filter((holder) => !needy(holder));
    if (this.#snapshot !== undefined && !isWanted(this.#snapshot.txid, others)) {
      paths.push(this.#snapshot.path);
      this.#snapshot = undefined;
    }
    if (paths.length > 0) this.#remove(paths);
  }

  /** Says it once of each, and again only if it has caught up in between. */
  #giveUp(laggards: readonly string[], holders: readonly Holder[], maxBytes: number): void {
    const oldest = this.backlog.files[0]?.txid ?? 0n;
    for (const { name, releasableTXID } of holders) {
      if (releasableTXID + 1n >= oldest) this.#givenUp.delete(name);
    }
    const names = laggards.filter((name) => !this.#givenUp.has(name));
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
    if (this.#retry.waitMs > 0) return; // they go with those that could not be removed
    this.#removing = this.#removing.then(() => this.#removeFreed());
  }

  /** Never rejects: what could not be done is told once, and tried again. */
  async #removeFreed(): Promise<void> {
    if (this.#freed.size === 0) return;
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
   * What is freed is in the record before. But a volume that has no room for the record gets room by
   * freeing: then the record follows. Without it the next start is more careful than it has to be.
   */
  async #saveUnlessFull(): Promise<void> {
    try {
      await this.#context.records.save();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }
}

/** Whether a destination lacks the snapshot, and may take it: as a base, or beside level 0. */
function isWanted(txid: bigint, holders: readonly Holder[]): boolean {
  return holders.some(
    ({ newestSnapshot, replicatedTXID, snapshotRefusal }) =>
      replicatedTXID === undefined ||
      ((newestSnapshot?.txid ?? 0n) < txid && (snapshotRefusal?.txid ?? 0n) < txid),
  );
}

// --- which staged files are released, so that staging stays bounded; pure ---

export interface ReleasePoint {
  readonly name: string;
  /** It does not want staged files up to this TXID any more. */
  readonly releasable: bigint;
  /** 'snapshot': only a full snapshot helps it, and none is staged or being made. */
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
  /** The staged snapshot, from which one that was given up can be seeded. */
  readonly snapshot?: { readonly txid: bigint } | undefined;
}

export interface BudgetDecision {
  /** Files up to this TXID may go. */
  readonly releaseTo: bigint;
  /** Whoever still wanted one of those: they will be seeded by a snapshot. */
  readonly laggards: readonly string[];
}

/**
 * Frees what nobody wants. Beyond the budget, oldest first, also what only the slowest want; and then
 * all that is of no use to those any more: they go on from a snapshot, and from what follows it.
 * The next snapshot holds everything that is staged now, so a destination that needs it wants none of these files.
 */
export function planRelease(input: BudgetInput): BudgetDecision {
  const { files, maxBytes } = input;
  const newest = files.at(-1)?.txid ?? 0n;
  const holders = input.holders.map((holder) =>
    holder.needs === 'snapshot' && holder.releasable < newest
      ? { ...holder, releasable: newest }
      : holder,
  );
  const unwanted = lowest(holders.map(({ releasable }) => releasable)) ?? 0n;
  const needed = exceeding(files, unwanted, maxBytes);
  const laggards = holders.filter(({ releasable }) => releasable < needed);
  if (laggards.length === 0) return { releaseTo: needed, laggards: [] };
  const seed = seedAbove(input, needed);
  const wanted = holders.map((holder) => (holder.releasable < needed ? seed : holder.releasable));
  const releaseTo = lowest(wanted) ?? needed;
  return {
    releaseTo: releaseTo > needed ? releaseTo : needed,
    laggards: laggards.map(({ name }) => name),
  };
}

/**
 * What staging may take where its volume has this room: the limit; less where the reserve of the volume
 * would be touched; and where others have touched it, half of what they and the reserve leave.
 */
export function affordableBytes(maxBytes: number, stagedBytes: number, room: Room): number {
  const half = (stagedBytes + room.availableBytes) / 2;
  return Math.min(maxBytes, Math.max(stagedBytes + spareBytes(room), half));
}

/** Up to which TXID files must go so that the rest is within the budget. The newest one always stays. */
function exceeding(files: readonly File[], unwanted: bigint, maxBytes: number): bigint {
  let releaseTo = unwanted;
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

/** Files up to this TXID are of no use to one that lacks what was released up to `needed`. */
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
