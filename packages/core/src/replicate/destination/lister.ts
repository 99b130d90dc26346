/** Lists one destination: at first, when it is due again, and after a surprise; and says whose it is. */

import type { Clock } from '../../clock.ts';
import { type ErrorCode, isError } from '../../error.ts';
import type { FileSystem } from '../../file-system.ts';
import { type FileEnds, formatFileChecksum, readEnds, type ReadFileRange } from '../../ltx/file.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { rangesOf } from '../../replica/ranges.ts';
import type { ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import { FileSet } from '../../replica/file-set.ts';
import type { Backlog } from '../backlog.ts';
import type { Wakeup } from '../waits.ts';
import { admit, type SentRecord } from './admission.ts';
import { recordIfStaged } from './bodies.ts';
import type { Holdings } from './holdings.ts';
import { Relisting } from './relisting.ts';
import type { StepResult } from './upload-queue.ts';

export interface ListerContext {
  /** The destination's. */
  readonly name: string;
  readonly target: string;
  readonly holdings: Holdings;
  readonly backlog: Backlog;
  readonly files: FileSystem;
  /** Whether the backlog is known: before that it cannot be said whose a destination is. */
  readonly knowsBacklog: () => boolean;
  readonly record: () => SentRecord | undefined;
  /** Another file was listed. */
  readonly onFile: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A database may come long after its destinations were listed: then they are listed anew. */
const LISTED_MS_MAX = 60_000;

export class Lister {
  readonly #context: ListerContext;
  readonly #relisting: Relisting;
  /** What was listed, until it is decided whose it is. */
  #listed: ListedDestination | undefined;
  #listedAt = 0;
  /** What was last said to be wrong with what is there. */
  #saidWhy: string | undefined;

  constructor(context: ListerContext) {
    this.#context = context;
    this.#relisting = new Relisting(context.clock);
  }

  /** How often it was listed as a whole. */
  get count(): number {
    return this.#relisting.count;
  }

  /** 0 where it must be listed before anything is sent. */
  get dueInMs(): number {
    const { holdings } = this.#context;
    if (holdings.chain === undefined) return 0;
    const dueInMs = this.#relisting.dueInMs();
    // A seed that is under way is not disturbed without reason.
    return holdings.seeding === undefined || this.#relisting.isDemanded ? dueInMs : Infinity;
  }

  /** A file was written there. */
  wrote(): void {
    this.#relisting.wrote();
  }

  failed(code: ErrorCode, failingSince: number | undefined): void {
    this.#relisting.failed(code, failingSince);
  }

  /**
   * Lists it, and decides whose it is once it is known what is staged. 'answered' where it was listed,
   * also where that cannot be decided yet.
   */
  async list(client: ReplicaFiles, signal: AbortSignal): Promise<StepResult> {
    const { holdings, backlog, knowsBacklog, onFile, record, clock } = this.#context;
    const isOld = clock.monotonic() - this.#listedAt >= LISTED_MS_MAX;
    const isDue = this.#listed === undefined || (isOld && knowsBacklog());
    if (isDue) {
      this.#relisting.begins(client.openLocalFile === undefined ? 'remote' : 'local');
      holdings.listingBegins();
      this.#listed = await listDestination(client, { onFile, signal });
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

  /** Says what is wrong with it: once, until it is right again. */
  #report(): void {
    const { name, target, holdings, record, logger } = this.#context;
    const { chain, why } = holdings;
    if (why !== undefined && why !== this.#saidWhy) {
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
    this.#saidWhy = chain === 'ours' ? undefined : (why ?? this.#saidWhy);
  }
}

// --- one listing, with both ends of the newest level-0 file ---

export interface ListedDestination {
  readonly files: FileSet;
  /** undefined where level 0 is empty. */
  readonly top: SentRecord | undefined;
  /** Of the newest file; 0 where there is none. */
  readonly pageSize: number;
}

/** One listing of all levels, and two small reads of the newest file. */
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

/** undefined for a file that is not an LTX file: then it is not ours either. */
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

/** How long a start waits for destinations that have neither answered nor failed. */
const REPORT_MS_MAX = 3_000;

export interface ListingsWait {
  readonly uploaders: readonly { readonly hasReported: boolean }[];
  /** Wakes when one of them has reported. */
  readonly changed: Wakeup;
  readonly clock: Clock;
  readonly isClosed: () => boolean;
}

/** Waits until every destination has been listed, or has failed to be, or REPORT_MS_MAX. */
export async function waitForListings(wait: ListingsWait): Promise<void> {
  const { uploaders, changed, clock, isClosed } = wait;
  const deadline = clock.monotonic() + REPORT_MS_MAX;
  for (;;) {
    const left = deadline - clock.monotonic();
    if (left <= 0 || isClosed() || uploaders.every(({ hasReported }) => hasReported)) return;
    await changed.next(left);
  }
}
