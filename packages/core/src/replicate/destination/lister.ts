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
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import type { EmptyRoot } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import { FileSet } from '../../replica/file-set.ts';
import type { Backlog } from '../backlog.ts';
import type { StagedMerge } from '../levels/merge-files.ts';
import type { Wakeup } from '../waits.ts';
import { admit, type SentRecord } from './admission.ts';
import { recordIfStaged } from './bodies.ts';
import type { Holdings } from './holdings.ts';
import { asSealed, identify, type SealedRecord } from './sealer.ts';
import { Relisting } from './relisting.ts';
import type { StepResult } from './upload-queue.ts';
import type { OpenReplica } from './sender.ts';
import type { Ownership } from '../ownership/ownership.ts';

export interface ListerContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  readonly holdings: Holdings;
  readonly backlog: Backlog;
  /** The staged merged files. */
  readonly merged: { readonly staged: readonly StagedMerge[] };
  readonly files: FileSystem;
  /** Whether the backlog is known. Before that, `admit` cannot classify a destination. */
  readonly knowsBacklog: () => boolean;
  readonly record: () => SentRecord | undefined;
  /** What it means if a folder is empty and has lost its marker. */
  readonly emptyRoot: () => EmptyRoot | undefined;
  /** It was listed and classified. Nothing is written there before this resolves. */
  readonly onListed?: ((found: 'files' | 'nothing') => Promise<void>) | undefined;
  /** The last files encrypted for this destination. */
  readonly sealed: () => readonly SealedRecord[];
  /** Called for each listed file. */
  readonly onFile: () => void;
  /** Keeps the destination to one writer; undefined: nothing does. */
  readonly ownership?: Ownership | undefined;
  /** How many databases this process replicates. Default: this one. */
  readonly databases?: (() => number) | undefined;
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
  /** Whether the files of the first listing were checked. */
  #hasChecked = false;

  constructor(context: ListerContext) {
    this.#context = context;
    this.#relisting = new Relisting(context.clock, context.databases);
  }

  /** Number of full listings that ended well. */
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

  /** The destination must be listed before anything else is sent. */
  demand(): void {
    this.#relisting.demand();
  }

  failed(code: ErrorCode, failingSince: number | undefined): void {
    this.#relisting.failed(code, failingSince);
  }

  /**
   * Lists the destination, and classifies it once the backlog is known. Returns 'answered' if it was
   * listed, even if it could not be classified yet. REPLICA_IN_USE if it belongs to another replicator.
   */
  async list(
    { client, capabilities }: Pick<OpenReplica, 'client' | 'capabilities'>,
    signal: AbortSignal,
  ): Promise<StepResult> {
    const { holdings, ownership } = this.#context;
    const { objects } = client;
    await ownership?.requireChange(objects, signal);
    const result = await this.#classify(client, signal);
    const { chain, highest, newestAt } = holdings;
    if (chain === undefined) return result;
    try {
      await this.#context.onListed?.(holdings.fileCount > 0 ? 'files' : 'nothing');
    } catch (error) {
      holdings.requireListing(); // nothing is sent before that
      throw error;
    }
    try {
      const listed = { objects, capabilities, chain, highest, newestAt };
      const standing = await ownership?.require(listed, signal);
      if (standing === 'taken over') {
        holdings.requireListing(); // the owner before may have written since
        return 'changed';
      }
    } catch (error) {
      const isOurs = ownership?.isOwner === true && !isError(error, 'REPLICA_IN_USE');
      if (!isOurs) holdings.requireListing(); // nothing is sent before that
      throw error;
    }
    this.#report();
    return result;
  }

  async #classify(client: ReplicaFiles, signal: AbortSignal): Promise<StepResult> {
    const { holdings, backlog, knowsBacklog, onFile, record, sealed, clock } = this.#context;
    const isOld = clock.monotonic() - this.#listedAt >= LISTED_MS_MAX;
    const isDue = this.#listed === undefined || (isOld && knowsBacklog());
    if (isDue) {
      const isLocal = client.openLocalFile !== undefined || client.encrypted?.isLocal === true;
      this.#relisting.listingBegan(isLocal ? 'local' : 'remote');
      holdings.listingBegan();
      const emptyRoot = this.#context.emptyRoot();
      const listed = await listDestination(client, { onFile, record, sealed, emptyRoot, signal });
      const isFirst = !this.#hasChecked;
      const isChecked = isFirst && client.openLocalFile !== undefined;
      if (listed.files.count === 0) await this.#noteOld(client, signal);
      if (isFirst) await this.#notePlain(client, listed.files, signal);
      const unusable = isChecked ? await dropUnusable(client, listed.files, signal) : undefined;
      this.#hasChecked = true;
      this.#listed = { ...listed, unusable };
      this.#listedAt = clock.monotonic();
    }
    if (this.#listed === undefined || !knowsBacklog()) return isDue ? 'answered' : 'waiting';
    const { top } = this.#listed;
    const plain = await this.#stagedRecord(top);
    const staged = client.encrypted === undefined ? plain : asSealed(plain, top, sealed());
    const listed = this.#listed;
    this.#listed = undefined;
    const { newest } = backlog;
    holdings.listed(listed, (files) => admit({ files, top, record: record(), staged, newest }));
    this.#relisting.listed(holdings.fileCount);
    return 'answered';
  }

  /** The record of the staged file with the name of `top`; undefined if there is none. */
  async #stagedRecord(top: SentRecord | undefined): Promise<SentRecord | undefined> {
    const { backlog, files, merged } = this.#context;
    const name = top?.merged;
    if (name === undefined) {
      return await recordIfStaged(
        files,
        backlog.files.find(({ txid }) => txid === top?.txid),
      );
    }
    const sent = merged.staged.find(
      ({ level, minTXID, maxTXID }) =>
        level === name.level && minTXID === name.minTXID && maxTXID === top?.txid,
    );
    const record = await recordIfStaged(files, sent && { ...sent, txid: sent.maxTXID });
    return record && { ...record, merged: name };
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

  /** Logs that an encrypted destination has files that are not: its newest state begins with one. */
  async #notePlain(client: ReplicaFiles, files: FileSet, signal: AbortSignal): Promise<void> {
    const [ref] = newestChain(files.levels);
    const base = ref && files.get(ref);
    if (client.encrypted === undefined || base === undefined) return;
    if (await client.encrypted.isEncrypted(base, { signal })) return;
    const { name, target, logger } = this.#context;
    logger.warn(
      `${name}: ${describeFile(base)} is not encrypted, because it was written before the destination had encryption; ` +
        'new files are encrypted. To encrypt the others, stop Sluice and run "sluice rekey"',
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
  /** The newest file of level 0, or a merged file with a higher TXID; undefined if there is none. */
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
        if (isError(error, 'REPLICA_NO_IDENTITY')) throw error; // it is encrypted, not damaged
        files.markUnusable(file);
        unusable ??= `${describeFile(file)} cannot be used: ${messageOf(error)}`;
      }
    }
  }
}

interface Listing extends Pick<ListerContext, 'onFile' | 'record' | 'sealed'> {
  readonly emptyRoot: EmptyRoot | undefined;
  readonly signal: AbortSignal;
}

/** Lists all levels and reads the header and trailer of the newest file. */
async function listDestination(
  client: ReplicaFiles,
  { onFile, record, sealed, emptyRoot, signal }: Listing,
): Promise<ListedDestination> {
  const files = new FileSet();
  for await (const file of client.listFiles('all', { emptyRoot, signal })) {
    files.add(file);
    onFile();
  }
  const newest = newestBelowSnapshots(files);
  if (newest === undefined) return { files, top: undefined, pageSize: 0 };
  const { level, minTXID, maxTXID: txid, sizeBytes } = newest;
  const merged = level === 0 ? {} : { merged: { level, minTXID } };
  if (client.encrypted !== undefined) {
    const checksum = await client.encrypted.readEnd(newest, { signal });
    return { files, ...identify({ txid, sizeBytes, checksum, ...merged }, record(), sealed()) };
  }
  const ends = await readEndsIfLTX(rangesOf(client, newest, signal), sizeBytes);
  if (ends === undefined) {
    return {
      files,
      top: { txid, sizeBytes, checksum: 'not an LTX file', lineage: 0n, ...merged },
      pageSize: 0,
    };
  }
  const { pageSize, nodeID: lineage } = ends.header;
  const checksum = formatFileChecksum(ends.trailer.fileChecksum);
  return { files, top: { txid, sizeBytes, checksum, lineage, ...merged }, pageSize };
}

/** The lower level, if two levels end with the same TXID. */
function newestBelowSnapshots(files: FileSet): LTXFileInfo | undefined {
  let newest = files.newestOf(0);
  for (let level = 1; level < LEVEL_SNAPSHOT; level++) {
    const file = files.newestOf(level);
    if (file !== undefined && file.maxTXID > (newest?.maxTXID ?? 0n)) newest = file;
  }
  return newest;
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
