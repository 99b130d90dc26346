/**
 * Lists one destination at the start, periodically and after an unexpected answer, and classifies
 * its contents.
 */

import type { Clock } from '../../clock.ts';
import { type ErrorCode, isError, messageOf } from '../../error.ts';
import type { FileSystem } from '../../file-system.ts';
import { type FileEnds, formatFileChecksum, readEnds, type ReadFileRange } from '../../ltx/file.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { newestChain } from '../../history/chain.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import { describeFile } from '../../store/describe.ts';
import { FileSet } from '../../replica/file-set.ts';
import type { Backlog } from '../backlog.ts';
import type { Wakeup } from '../waits.ts';
import { admit, type SentRecord } from './admission.ts';
import { recordIfStaged } from './bodies.ts';
import type { Holdings } from './holdings.ts';
import { Relisting } from './relisting.ts';
import type { StepResult } from './upload-queue.ts';

export interface ListerContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  readonly holdings: Holdings;
  readonly backlog: Backlog;
  readonly files: FileSystem;
  /** Whether the backlog is known. Before that, `admit` cannot classify a destination. */
  readonly knowsBacklog: () => boolean;
  readonly record: () => SentRecord | undefined;
  /** Called for each listed file. */
  readonly onFile: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A listing that waited longer than this for the backlog is repeated: the database may appear much
 * later.
 */
const LISTED_MS_MAX = 60_000;

export class Lister {
  readonly #context: ListerContext;
  readonly #relisting: Relisting;
  /** The listing, until it can be classified. */
  #listed: ListedDestination | undefined;
  #listedAt = 0;
  /** The problem that was last logged. */
  #loggedProblem: string | undefined;
  #hasLookedForOld = false;

  constructor(context: ListerContext) {
    this.#context = context;
    this.#relisting = new Relisting(context.clock);
  }

  /** Number of full listings. */
  get count(): number {
    return this.#relisting.count;
  }

  /**
   * Time until the next listing; 0 if it must be listed before anything is sent. A listing that waits for
   * the backlog has no time: the uploader is woken when the backlog is known.
   */
  get dueInMs(): number {
    const { holdings, knowsBacklog } = this.#context;
    if (holdings.chain === undefined) {
      return this.#listed === undefined || knowsBacklog() ? 0 : Infinity;
    }
    const dueInMs = this.#relisting.dueInMs();
    // Only a required listing interrupts a seed.
    return holdings.seeding === undefined || this.#relisting.isDemanded ? dueInMs : Infinity;
  }

  /** A file was written to the destination. */
  wrote(): void {
    this.#relisting.wrote();
  }

  failed(code: ErrorCode, failingSince: number | undefined): void {
    this.#relisting.failed(code, failingSince);
  }

  /**
   * Lists the destination, and classifies it once the backlog is known. Returns 'answered' if it was
   * listed, even if it could not be classified yet.
   */
  async list(client: ReplicaFiles, signal: AbortSignal): Promise<StepResult> {
    const { holdings, backlog, knowsBacklog, onFile, record, clock } = this.#context;
    const isOld = clock.monotonic() - this.#listedAt >= LISTED_MS_MAX;
    const isDue = this.#listed === undefined || (isOld && knowsBacklog());
    if (isDue) {
      this.#relisting.listingBegan(client.openLocalFile === undefined ? 'remote' : 'local');
      holdings.listingBegan();
      const isFirst = this.#relisting.count === 1;
      const listed = await listDestination(client, { onFile, signal });
      const isChecked = isFirst && client.openLocalFile !== undefined;
      if (listed.files.count === 0) await this.#noteOld(client, signal);
      const unusable = isChecked ? await dropUnusable(client, listed.files, signal) : undefined;
      this.#listed = { ...listed, unusable };
      this.#listedAt = clock.monotonic();
    }
    if (this.#listed === undefined || !knowsBacklog()) return isDue ? 'answered' : 'waiting';
    const { top } = this.#listed;
    const sent = backlog.files.find(({ txid }) => txid === top?.txid);
    const staged = await recordIfStaged(this.#context.files, sent);
    const listed = this.#listed;
    this.#listed = undefined;
    const { newest } = backlog;
    holdings.listed(listed, (files) => admit({ files, top, record: record(), staged, newest }));
    this.#relisting.listed(holdings.fileCount);
    this.#report();
    return 'answered';
  }

  /** Logs once that a new replica is beside a backup of Litestream 0.3. */
  async #noteOld(client: ReplicaFiles, signal: AbortSignal): Promise<void> {
    if (this.#hasLookedForOld) return;
    const hasOld = await client.hasGenerations?.({ signal });
    this.#hasLookedForOld = true;
    if (hasOld !== true) return;
    const { name, target, logger } = this.#context;
    logger.info(
      `${name}: there is a backup of Litestream 0.3 (generations/). Sluice writes its own files beside it and ` +
        'never changes or deletes it; "sluice restore" reads both',
      { target },
    );
  }

  /** Logs a problem with the contents once, until it is fixed. */
  #report(): void {
    const { name, target, holdings, record, logger } = this.#context;
    const { chain, why } = holdings;
    if (why !== undefined && why !== this.#loggedProblem) {
      const sent = record();
      const hint =
        chain === 'empty'
          ? '; if a disk is not mounted or a bucket was replaced, stop Sluice and fix that first'
          : '';
      logger.warn(`${name}: ${why}; a full snapshot will be sent${hint}`, {
        target,
        sent: sent === undefined ? undefined : formatTXID(sent.txid),
      });
    }
    this.#loggedProblem = chain === 'ours' ? undefined : (why ?? this.#loggedProblem);
  }
}

// --- one listing, with the header and trailer of the newest level-0 file ---

export interface ListedDestination {
  readonly files: FileSet;
  /** undefined if level 0 is empty. */
  readonly top: SentRecord | undefined;
  /** Page size of the newest file; 0 if there is none. */
  readonly pageSize: number;
  /** Description of a file that cannot be read, although the listing shows it. */
  readonly unusable?: string | undefined;
}

/** Maximum files that are checked at the start: about half a second. */
const CHECKED_MAX = 500;

/**
 * Reads both ends of the files that the newest state needs: the base, and the newest of the others. Only
 * in a local folder, where this costs no request. Marks files that are cut short or unreadable as unusable,
 * and continues with the files that replace them. Describes the first of them.
 */
async function dropUnusable(
  client: ReplicaFiles,
  files: FileSet,
  signal: AbortSignal,
): Promise<string | undefined> {
  const checked = new Set<string>();
  let unusable: string | undefined;
  for (;;) {
    const [base, ...others] = newestChain(files.levels);
    const chain = [...(base === undefined ? [] : [base]), ...others.slice(-CHECKED_MAX)];
    const next = chain.filter((ref) => !checked.has(describeFile(ref)));
    if (next.length === 0 || checked.size > CHECKED_MAX) return unusable;
    for (const ref of next) {
      checked.add(describeFile(ref));
      const file = files.get(ref);
      if (file === undefined) continue;
      try {
        await readEnds(rangesOf(client, file, signal), file.sizeBytes);
      } catch (error) {
        signal.throwIfAborted();
        files.markUnusable(file);
        unusable ??= `${describeFile(file)} cannot be used: ${messageOf(error)}`;
      }
    }
  }
}

/** Lists all levels and reads the header and trailer of the newest file. */
async function listDestination(
  client: ReplicaFiles,
  { onFile, signal }: { readonly onFile: () => void; readonly signal: AbortSignal },
): Promise<ListedDestination> {
  const files = new FileSet();
  for await (const file of client.listFiles('all', { signal })) {
    files.add(file);
    onFile();
  }
  const newest = files.newestOf(0);
  if (newest === undefined) return { files, top: undefined, pageSize: 0 };
  const { maxTXID: txid, sizeBytes } = newest;
  const ends = await readEndsIfLTX(rangesOf(client, newest, signal), sizeBytes);
  if (ends === undefined) {
    return {
      files,
      top: { txid, sizeBytes, checksum: 'not an LTX file', lineage: 0n },
      pageSize: 0,
    };
  }
  const { pageSize, nodeID: lineage } = ends.header;
  const checksum = formatFileChecksum(ends.trailer.fileChecksum);
  return { files, top: { txid, sizeBytes, checksum, lineage }, pageSize };
}

/** Returns undefined for a file that is not an LTX file, and so not ours. */
async function readEndsIfLTX(
  read: ReadFileRange,
  sizeBytes: number,
): Promise<FileEnds | undefined> {
  try {
    return await readEnds(read, sizeBytes);
  } catch (error) {
    if (isError(error) && error.code.startsWith('LTX_')) return undefined;
    throw error;
  }
}

/** How long a start waits for destinations that have neither been listed nor failed. */
const REPORT_MS_MAX = 3_000;

export interface ListingsWait {
  readonly uploaders: readonly { readonly hasReported: boolean }[];
  /** Notified when one of them has reported. */
  readonly changed: Wakeup;
  readonly clock: Clock;
  readonly isClosed: () => boolean;
}

/** Waits until every destination has been listed or has failed, at most REPORT_MS_MAX. */
export async function waitForListings(wait: ListingsWait): Promise<void> {
  const { uploaders, changed, clock, isClosed } = wait;
  const deadline = clock.monotonic() + REPORT_MS_MAX;
  for (;;) {
    const left = deadline - clock.monotonic();
    if (left <= 0 || isClosed() || uploaders.every(({ hasReported }) => hasReported)) return;
    await changed.next(left);
  }
}
