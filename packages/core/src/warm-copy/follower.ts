/**
 * Keeps a warm copy at the newest state of its backup, until a signal ends it. Any failure of a destination
 * is retried, and reported once.
 */

import path from 'node:path';
import { isError, messageOf, ReplicationError } from '../error.ts';
import { systemFiles, type FileSystem } from '../file-system.ts';
import { formatTXID } from '../ltx/txid.ts';
import { systemRandom } from '../random.ts';
import { findTarget, isDatabaseAt, type Overwrite } from '../restore/output-target.ts';
import type { RestoreSource } from '../restore/plan/sources.ts';
import type { VerifiedOutput } from '../restore/options.ts';
import { sleep } from '../store/abort.ts';
import { systemTimers } from '../store/timers.ts';
import { CatchUp, type PollResult, type RebaseReason } from './catch-up.ts';
import { Copy, type ApplyOptions, type CopyPorts } from './copy.ts';
import { CopyLock } from './copy-lock.ts';
import { copyPathsOf, type CopyPaths } from './copy-paths.ts';
import { makeFirstState } from './first-state.ts';
import { readPosition } from './position.ts';

/** The state of the copy, for people and programs. */
export interface CopyStatus {
  /** 16 hex digits. */
  readonly txid: string;
  /** When this state was committed, by the clock of its writer. */
  readonly timestamp: Date;
}

/** What a follower did, or what prevents it. */
export type FollowEvent =
  | ({ readonly kind: 'following' } & CopyStatus)
  /** The copy was asked for nothing newer: it holds the newest state of `source`. */
  | ({ readonly kind: 'current'; readonly source: string } & CopyStatus)
  | ({
      readonly kind: 'applied';
      readonly source: string;
      readonly files: number;
      readonly bytes: number;
    } & CopyStatus)
  | ({
      readonly kind: 'rebased';
      readonly source: string;
      readonly reason: RebaseReason;
      readonly bytes: number;
    } & CopyStatus)
  /** The destination only has older states. */
  | ({ readonly kind: 'older'; readonly source: string; readonly highest: string } & CopyStatus)
  /** Will be retried. Reported again only if the error changes. */
  | ({ readonly kind: 'failing'; readonly source: string; readonly error: Error } & CopyStatus)
  | ({ readonly kind: 'recovered'; readonly source: string } & CopyStatus)
  /** A damaged file was left out. */
  | { readonly kind: 'avoided'; readonly error: Error }
  /** Readers have kept the copy locked for seconds. */
  | { readonly kind: 'blocked' };

/** A destination, opened when it is needed. */
export interface FollowSource {
  readonly name: string;
  open(signal: AbortSignal): Promise<RestoreSource>;
}

export interface FollowerOptions {
  readonly output: string;
  /** Without 'refuse', a copy that another program wrote to is restored again. */
  readonly overwrite: Overwrite;
  readonly onEvent: (event: FollowEvent) => void;
  readonly signal: AbortSignal;
  readonly ports?: CopyPorts | undefined;
}

export interface FollowOptions {
  /** In order of preference. All must belong to the same database. */
  readonly sources: readonly FollowSource[];
  readonly intervalMs: number;
  readonly parallelism?: number | undefined;
}

const BACKOFF_MS_MIN = 1_000;
/** A destination that is back is noticed within this time. */
const BACKOFF_MS_MAX = 30_000;

const systemPorts: CopyPorts = { files: systemFiles, clock: systemTimers, random: systemRandom };

/** Whether a copy is at `output`, or was and can be restored again. */
export async function isWarmCopy(output: string): Promise<boolean> {
  const { position } = copyPathsOf(await findTarget(output));
  return (await systemFiles.stat(position)) !== undefined && (await isDatabaseAt(output));
}

/** Closed by `await using`. One process at a time follows a copy. */
export class Follower implements AsyncDisposable {
  readonly #paths: CopyPaths;
  readonly #ports: CopyPorts;
  readonly #options: FollowerOptions;
  readonly #lock: CopyLock;
  readonly #failing = new Map<string, string>();
  #copy: Copy | undefined;

  /** DATABASE_BUSY if another process follows it; DATABASE_REPLACED if another program wrote to it. */
  static async open(options: FollowerOptions): Promise<Follower> {
    const { output, overwrite, ports = systemPorts } = options;
    const paths = copyPathsOf(await findTarget(output));
    const lock = await CopyLock.acquire(paths, ports.clock);
    const follower = new Follower(options, paths, ports, lock);
    try {
      await removeLeftovers(paths, ports.files);
      if (await isDatabaseAt(output)) await follower.#openCopy();
      return follower;
    } catch (error) {
      if (isError(error, 'DATABASE_REPLACED') && overwrite !== 'refuse') return follower;
      await follower.close();
      throw error;
    }
  }

  private constructor(
    options: FollowerOptions,
    paths: CopyPaths,
    ports: CopyPorts,
    lock: CopyLock,
  ) {
    this.#options = options;
    this.#paths = paths;
    this.#ports = ports;
    this.#lock = lock;
  }

  /** The state of the copy; undefined if there is none: restore it first, with `makeCopy`. */
  get status(): CopyStatus | undefined {
    return this.#copy === undefined ? undefined : toStatus(this.#copy);
  }

  /** `onVerified` of the restore to `output`: makes the restored file a warm copy. */
  async makeCopy(output: VerifiedOutput): Promise<void> {
    const { signal } = this.#options;
    await makeFirstState(output, this.#paths.position, this.#ports, signal);
  }

  /**
   * Resolves when the signal of the options aborts. DATABASE_REPLACED if another program writes to the copy;
   * CONFIG_INVALID. Every other error is retried.
   */
  async follow(options: FollowOptions): Promise<void> {
    const { signal, onEvent } = this.#options;
    try {
      const copy = this.#copy ?? (await this.#openCopy());
      if (copy === undefined) throw new TypeError('a copy was restored before it is followed');
      onEvent({ kind: 'following', ...toStatus(copy) });
      await this.#run(copy, options);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async close(): Promise<void> {
    this.#copy?.close();
    this.#copy = undefined;
    await this.#lock.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(copy: Copy, { sources, intervalMs, parallelism }: FollowOptions): Promise<void> {
    const { signal, onEvent } = this.#options;
    const catchUp = new CatchUp({
      ...this.#ports,
      copy,
      paths: this.#paths,
      parallelism,
      onAvoided: (error) => onEvent({ kind: 'avoided', error }),
      onBlocked: this.#applying.onBlocked,
    });
    let failures = 0;
    for (let index = 0; ;) {
      signal.throwIfAborted();
      const source = sources[index % sources.length];
      if (source === undefined) throw new TypeError('there is a destination to follow');
      let waitMs = intervalMs;
      try {
        const result = await catchUp.poll(await source.open(signal), signal);
        failures = 0;
        this.#report(result, source.name, copy);
        // Another destination may have more.
        if (result.kind === 'older' || isLookAround(result)) index += 1;
      } catch (error) {
        signal.throwIfAborted();
        if (!isRetried(error)) throw error;
        failures += 1;
        index += 1;
        catchUp.distrust();
        this.#reportFailure(source.name, error, copy);
        waitMs = failures < sources.length ? 0 : this.#backoffMs(failures - sources.length);
      }
      await sleep(this.#ports.clock, waitMs, signal);
    }
  }

  async #openCopy(): Promise<Copy | undefined> {
    this.#copy = await Copy.open(this.#paths, this.#ports, this.#applying);
    return this.#copy;
  }

  get #applying(): ApplyOptions {
    const { signal, onEvent } = this.#options;
    return { signal, onBlocked: () => onEvent({ kind: 'blocked' }) };
  }

  #report(result: PollResult, source: string, copy: Copy): void {
    const { onEvent } = this.#options;
    const status = toStatus(copy);
    if (this.#failing.delete(source)) onEvent({ kind: 'recovered', source, ...status });
    switch (result.kind) {
      case 'current':
        return onEvent({ kind: 'current', source, ...status });
      case 'applied':
        return onEvent({ ...result, source, ...status });
      case 'rebased':
        return onEvent({ ...result, source, ...status });
      case 'older':
        return onEvent({ kind: 'older', source, highest: formatTXID(result.highest), ...status });
    }
  }

  /** A failure that stays the same is reported once. */
  #reportFailure(source: string, error: unknown, copy: Copy): void {
    const key = isError(error) ? error.code : messageOf(error);
    if (this.#failing.get(source) === key) return;
    this.#failing.set(source, key);
    const reported = error instanceof Error ? error : new Error(messageOf(error));
    this.#options.onEvent({ kind: 'failing', source, error: reported, ...toStatus(copy) });
  }

  /** With jitter, because many followers may lose one destination at once. */
  #backoffMs(attempt: number): number {
    const ms = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(attempt, 10), BACKOFF_MS_MAX);
    return ms * (0.5 + this.#ports.random.fraction() / 2);
  }
}

/** Files of a change that a crash interrupted. The journal that SQLite needs is not among them. */
async function removeLeftovers({ folder, position }: CopyPaths, files: FileSystem): Promise<void> {
  const kept = new Set(['lock', 'owner', path.basename(position)]);
  for (const name of await files.list(folder)) {
    if (!kept.has(name)) await files.remove(path.join(folder, name));
  }
}

/** After a full listing without news, the other destinations are asked too. */
function isLookAround(result: PollResult): boolean {
  return result.kind === 'current' && result.listing === 'all';
}

/** Errors that waiting does not mend. */
function isRetried(error: unknown): boolean {
  if (!isError(error)) return false;
  return !(['DATABASE_REPLACED', 'CONFIG_INVALID'] as const).some((code) => isError(error, code));
}

function toStatus({ state: { txid, timestampMs } }: Copy): CopyStatus {
  return { txid: formatTXID(txid), timestamp: new Date(timestampMs) };
}

/** DATABASE_REPLACED if there is no copy at `output`. */
export async function requireWarmCopy(output: string): Promise<CopyPaths> {
  const paths = copyPathsOf(await findTarget(output));
  if ((await readPosition(systemFiles, paths.position)) !== undefined) return paths;
  throw new ReplicationError(
    'DATABASE_REPLACED',
    `promote ${output}: there is no record that it is a warm copy (${paths.position} is missing); ` +
      'name the file that "sluice restore -f -o" wrote',
  );
}
