/**
 * Brings a warm copy to the newest state of one destination: one poll.
 *
 * A poll lists only what may follow the copy at level 0. It lists everything if that does not lead on, once
 * in a while, and until it is certain that the files there continue the copy. Certain means: the lineage
 * is known and equal, or, for files without one (Litestream's), the last file of the copy is still there. The
 * latter is found out before each change, because a new history may overtake the copy at any time.
 * In doubt the copy is rebased: the newest state is restored beside it, and the pages that differ are
 * written to the copy as one change.
 */

import { isError, ReplicationError } from '../error.ts';
import type { LTXHeader } from '../ltx/header.ts';
import { formatTXID, nextTXID } from '../ltx/txid.ts';
import { readStoredChecksum } from '../replica/file-checksum.ts';
import { withOutputErrors } from '../restore/output-target.ts';
import { listAll } from '../restore/plan/listing.ts';
import {
  keyOfFile,
  readSourcedHeader,
  type RestoreSource,
  type SourcedFile,
} from '../restore/plan/sources.ts';
import { UnusableFileError } from '../restore/plan/unusable-file.ts';
import { READS_MAX_DEFAULT } from '../restore/read-ahead.ts';
import { restore } from '../restore/restore.ts';
import type { TargetState } from './change.ts';
import type { ApplyOptions, Copy, CopyPorts } from './copy.ts';
import type { CopyPaths } from './copy-paths.ts';
import { CHECKSUM_UNKNOWN, toTarget } from './first-state.ts';
import { PageSpool } from './page-spool.ts';
import { OtherLineageError, readChanges } from './read-files.ts';
import { RestoredChange } from './restored-change.ts';
import { planSteps } from './steps.ts';

/** Files that were merged, and histories that began anew, are found this late if nothing else is written. */
const FULL_LISTING_MS: number = 60_000;
/** Each attempt leaves out a damaged file, or lists again after a file was removed. */
const ATTEMPTS_MAX = 6;
const FIRST_BYTE = { start: 0, end: 1 };

/** Why a copy was rebased. */
export type RebaseReason = 'missing files' | 'another history' | 'unknown history';

export type PollResult =
  /** The copy holds the newest state. */
  | { readonly kind: 'current'; readonly listing: 'recent' | 'all' }
  | { readonly kind: 'applied'; readonly files: number; readonly bytes: number }
  | { readonly kind: 'rebased'; readonly reason: RebaseReason; readonly bytes: number }
  /** The destination only has older states. */
  | { readonly kind: 'older'; readonly highest: bigint };

export interface CatchUpOptions extends CopyPorts {
  readonly copy: Copy;
  readonly paths: CopyPaths;
  readonly parallelism?: number | undefined;
  readonly onAvoided: (error: UnusableFileError) => void;
  readonly onBlocked: () => void;
}

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #copy: Copy;
  /** Of damaged files, by `keyOfFile`. */
  readonly #avoided = new Set<string>();
  /** The source whose files certainly continue the copy. */
  #trusted: string | undefined;
  /** The source that only has older states, according to the last full listing. */
  #older: { readonly source: string; readonly highest: bigint } | undefined;
  #listedAllAt = -Infinity;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#copy = options.copy;
  }

  /** The next poll lists everything, and finds out whether its files continue the copy. */
  distrust(): void {
    this.#trusted = undefined;
    this.#older = undefined;
    this.#avoided.clear();
  }

  /**
   * Errors of the destination; RESTORE_* and LTX_* if the newest state cannot be restored, or if this machine has
   * no room for it; errors of `Copy.apply`.
   */
  async poll(source: RestoreSource, signal: AbortSignal): Promise<PollResult> {
    const { database } = this.#options.paths;
    return await withOutputErrors(`bring ${database} up to date`, () => this.#poll(source, signal));
  }

  async #poll(source: RestoreSource, signal: AbortSignal): Promise<PollResult> {
    await this.#copy.settle(this.#applying(signal));
    this.#copy.requireUnchanged(); // while nothing new arrives, nothing else would notice
    for (let attempt = 1; ; attempt++) {
      try {
        const recent = attempt === 1 ? await this.#pollRecent(source, signal) : undefined;
        return recent ?? (await this.#pollAll(source, signal));
      } catch (error) {
        signal.throwIfAborted();
        if (attempt >= ATTEMPTS_MAX) throw error;
        if (error instanceof UnusableFileError) this.#avoid(error, source);
        else if (!hasMoved(error)) throw error;
      }
    }
  }

  /** undefined if everything must be listed. */
  async #pollRecent(source: RestoreSource, signal: AbortSignal): Promise<PollResult | undefined> {
    const { clock } = this.#options;
    const isDue = clock.monotonic() - this.#listedAllAt >= FULL_LISTING_MS;
    const older = this.#older?.source === source.name ? this.#older : undefined;
    if (isDue || (this.#trusted !== source.name && older === undefined)) return undefined;
    const from = nextTXID(this.#copy.state.txid);
    const listed: SourcedFile[] = [];
    for await (const file of source.client.listFiles(0, { from, signal })) {
      listed.push({ ...file, source });
    }
    const steps = this.#plan(listed);
    if (older !== undefined) {
      return steps.kind === 'empty' ? { kind: 'older', highest: older.highest } : undefined;
    }
    if (steps.kind === 'empty') return { kind: 'current', listing: 'recent' };
    if (steps.kind !== 'files') return undefined;
    try {
      return await this.#apply(steps.files, source, signal);
    } catch (error) {
      if (error instanceof OtherLineageError) return undefined;
      throw error;
    }
  }

  async #pollAll(source: RestoreSource, signal: AbortSignal): Promise<PollResult> {
    const { clock } = this.#options;
    const files = await listAll(source.client, signal);
    const listed = files.map((file): SourcedFile => ({ ...file, source }));
    const steps = this.#plan(listed);
    if (steps.kind === 'empty') throw vanishedError(source.name, this.#copy.state.txid);
    const newest = await readNewest(listed, signal);
    const proof = await this.#prove(source, newest, signal);
    const isTrusted = proof === 'unknown' ? this.#trusted === source.name : proof === 'continues';
    this.#listedAllAt = clock.monotonic();
    this.#trusted = undefined;
    this.#older = undefined;
    const { lineage } = this.#copy.state;
    const isSame = lineage !== 0n && lineage === newest.nodeID;
    switch (steps.kind) {
      case 'current':
        if (!isTrusted) return await this.#rebaseIfNewer(source, listed, newest, signal);
        this.#trusted = source.name;
        return { kind: 'current', listing: 'all' };
      case 'older':
        if (isSame) return this.#isOlder(source, steps.highest);
        return await this.#rebaseIfNewer(source, listed, newest, signal);
      case 'gap':
        if (isSame) return await this.#rebase(source, listed, 'missing files', signal);
        return await this.#rebaseIfNewer(source, listed, newest, signal);
      case 'files':
        break;
    }
    const isKnown = lineage !== 0n && newest.nodeID !== 0n;
    if (!isTrusted && !isKnown) return await this.#rebaseIfNewer(source, listed, newest, signal);
    try {
      const result = await this.#apply(steps.files, source, signal);
      this.#trusted = source.name;
      return result;
    } catch (error) {
      if (!(error instanceof OtherLineageError)) throw error;
      return await this.#rebaseIfNewer(source, listed, newest, signal);
    }
  }

  /** Whether the files of a source continue the copy. 'unknown': its last file is gone. */
  async #prove(
    source: RestoreSource,
    newest: LTXHeader,
    signal: AbortSignal,
  ): Promise<'continues' | 'another history' | 'unknown'> {
    const { lineage } = this.#copy.state;
    if (lineage !== 0n && newest.nodeID !== 0n) {
      return lineage === newest.nodeID ? 'continues' : 'another history';
    }
    return await this.#findLast(source, signal);
  }

  /** Whether the last file of the copy is still there, and the same. */
  async #findLast(
    { client }: RestoreSource,
    signal: AbortSignal,
  ): Promise<'continues' | 'another history' | 'unknown'> {
    const { last } = this.#copy.state;
    const file = { ...last, modifiedAt: new Date(0) };
    try {
      const opened = await client.openFile(file, { range: FIRST_BYTE, signal });
      for await (const chunk of opened.body) void chunk;
      const { sizeBytes, storedBytes = sizeBytes } = opened;
      if (storedBytes !== last.sizeBytes) return 'another history';
      if (last.checksum === CHECKSUM_UNKNOWN) return 'unknown';
      const { checksum } = await readStoredChecksum(client, file, signal);
      return checksum === last.checksum ? 'continues' : 'another history';
    } catch (error) {
      if (isError(error, 'REPLICA_NOT_FOUND')) return 'unknown';
      throw error;
    }
  }

  #plan(listed: readonly SourcedFile[]): ReturnType<typeof planSteps<SourcedFile>> {
    return planSteps(listed, this.#copy.state.txid, (file) => this.#avoided.has(keyOfFile(file)));
  }

  /** OtherLineageError if it is not certain that the files continue the copy. */
  async #apply(
    files: readonly SourcedFile[],
    source: RestoreSource,
    signal: AbortSignal,
  ): Promise<PollResult> {
    const { paths, files: fileSystem, parallelism } = this.#options;
    let [count, bytes] = [0, 0];
    const changes = readChanges({
      files,
      lineage: this.#copy.state.lineage,
      readsMax: parallelism ?? READS_MAX_DEFAULT,
      newSpool: () => new PageSpool(fileSystem.scratch(paths.pages), this.#copy.geometry),
      signal,
    });
    for await (const change of changes) {
      const { unproven } = change;
      if (count === 0 && unproven && (await this.#findLast(source, signal)) !== 'continues') {
        throw new OtherLineageError(unproven);
      }
      await this.#copy.apply(change.spool, change.target, this.#applying(signal));
      count += change.files;
      bytes += change.bytes;
    }
    return { kind: 'applied', files: count, bytes };
  }

  /**
   * An older state never replaces a newer one: with another lineage, only times tell which one is newer.
   */
  async #rebaseIfNewer(
    source: RestoreSource,
    listed: readonly SourcedFile[],
    newest: LTXHeader,
    signal: AbortSignal,
  ): Promise<PollResult> {
    const { lineage, timestampMs } = this.#copy.state;
    if (newest.timestampMs < timestampMs) return this.#isOlder(source, newest.maxTXID);
    const isKnown = lineage !== 0n && newest.nodeID !== 0n;
    const reason = isKnown ? 'another history' : 'unknown history';
    return await this.#rebase(source, listed, reason, signal);
  }

  async #rebase(
    source: RestoreSource,
    listed: readonly SourcedFile[],
    reason: RebaseReason,
    signal: AbortSignal,
  ): Promise<PollResult> {
    const { paths, files, clock, parallelism } = this.#options;
    const verified: { header: LTXHeader; target: TargetState }[] = [];
    const { bytesRead } = await restore({
      sources: [{ ...source, listed }],
      output: paths.rebase,
      target: { kind: 'latest' },
      overwrite: 'replace',
      parallelism,
      onVerified: async ({ header, last }) => {
        verified.push({ header, target: await toTarget(header, last, signal) });
      },
      signal,
      clock,
    });
    for (const { header, target } of verified) {
      const change = new RestoredChange(paths.rebase, header);
      try {
        await this.#copy.apply(change, target, this.#applying(signal));
      } finally {
        change.close();
      }
    }
    await files.remove(paths.rebase);
    this.#trusted = source.name;
    return { kind: 'rebased', reason, bytes: bytesRead };
  }

  #isOlder({ name }: RestoreSource, highest: bigint): PollResult {
    this.#older = { source: name, highest };
    return { kind: 'older', highest };
  }

  #applying(signal: AbortSignal): ApplyOptions {
    return { signal, onBlocked: this.#options.onBlocked };
  }

  #avoid(error: UnusableFileError, source: RestoreSource): void {
    for (const file of error.suspects) this.#avoided.add(keyOfFile({ ...file, source }));
    this.#options.onAvoided(error);
  }
}

/** Of the files with the newest state, the lowest level was written first and has the time of the commit. */
async function readNewest(listed: readonly SourcedFile[], signal: AbortSignal): Promise<LTXHeader> {
  const best = listed.reduce((a, b) =>
    b.maxTXID > a.maxTXID || (b.maxTXID === a.maxTXID && b.level < a.level) ? b : a,
  );
  return await readSourcedHeader(best, 'fresh', signal);
}

/** A listed file was removed or replaced: retention or compaction ran meanwhile. */
function hasMoved(error: unknown): boolean {
  return isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_CHANGED');
}

function vanishedError(source: string, txid: bigint): ReplicationError {
  return new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `list ${source}: there is no backup any more; the copy stays at TXID ${formatTXID(txid)}; ` +
      'find out who emptied the destination, and start the replicator, which takes a new snapshot',
  );
}
