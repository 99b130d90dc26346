/** Lists one destination: at first, when it is due again, and after a surprise; and says whose it is. */

import type { Clock } from '../clock.ts';
import type { ErrorCode } from '../error.ts';
import type { FileSystem } from '../file-system.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { Logger } from '../store/backend.ts';
import type { ReplicaFiles } from '../replica/replica.ts';
import { admit, type SentRecord } from './admission.ts';
import type { Backlog } from './backlog.ts';
import { recordIfStaged } from './bodies.ts';
import type { Holdings } from './holdings.ts';
import { listDestination, type ListedDestination } from './listing.ts';
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
