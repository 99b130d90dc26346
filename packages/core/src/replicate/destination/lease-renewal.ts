/** Renews the lease of one destination, and keeps everything from being sent there while it is not held. */

import type { Clock } from '../../clock.ts';
import { isError, messageOf } from '../../error.ts';
import type { Random } from '../../random.ts';
import type { ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import { LEASE_POLL_MS, type Ownership } from '../ownership/ownership.ts';
import type { Connection } from './connection.ts';
import type { Holdings } from './holdings.ts';
import type { OpenReplica } from './sender.ts';
import { UploadQueue } from './upload-queue.ts';

export interface LeaseRenewalContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  readonly ownership?: Ownership | undefined;
  readonly connection: Pick<Connection, 'replica'>;
  readonly holdings: Pick<Holdings, 'highest' | 'requireListing'>;
  /** Everything else that writes there. */
  readonly parts: () => readonly { wake(): void; interrupt?(reason: unknown): void }[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The last write of a clean shutdown. Without it the lease ends by itself. */
const RELEASE_MS_MAX = 3_000;

/** While the client is closed, because it broke, nothing can be renewed. */
const CLOSED_MS = 1_000;

export class LeaseRenewal {
  readonly #context: LeaseRenewalContext;
  readonly #queue: UploadQueue;
  /** Whether the log says that it cannot be renewed. */
  #hasLogged = false;

  constructor(context: LeaseRenewalContext) {
    this.#context = context;
    const { clock, random } = context;
    this.#queue = new UploadQueue({
      step: async (signal) => {
        if (this.#dueInMs === 0) await this.#renew(signal);
        return 'idle';
      },
      dueInMs: () => this.#dueInMs,
      onRecovered: () => undefined,
      onFailure: () => undefined,
      clock,
      random,
    });
  }

  /** Whether this process may write now. Always, if it uses no lease. */
  get isHeld(): boolean {
    return this.#context.ownership?.lease?.isHeld ?? true;
  }

  /** Whether it waits for the lease of another replicator. */
  get isWaiting(): boolean {
    return this.#context.ownership?.isWaiting === true;
  }

  /** Pause before the owner is read again; undefined if it does not wait. */
  get pauseMs(): number | undefined {
    return this.isWaiting ? LEASE_POLL_MS : undefined;
  }

  /** 0 if it uses no lease. */
  get ttlMs(): number {
    return this.#context.ownership?.lease?.ttlMs ?? 0;
  }

  start(): void {
    if (this.#context.ownership?.lease !== undefined) this.#queue.start();
  }

  wake(): void {
    this.#queue.wake();
  }

  /** Renews a lease that has ended. Throws the failure; REPLICA_IN_USE if another replicator has it. */
  async require(signal: AbortSignal): Promise<void> {
    const { ownership, holdings } = this.#context;
    const objects = this.#objects;
    if (this.isHeld || ownership === undefined || objects === undefined) return;
    try {
      await ownership.renewLease(objects, holdings.highest, signal);
    } catch (error) {
      if (isLoss(error)) this.#lost(error);
      throw error;
    }
    this.#queue.wake();
  }

  /** Releases it, after everything else has ended. */
  async close(reason: unknown): Promise<void> {
    await this.#queue.close(reason);
    const { ownership } = this.#context;
    const objects = this.#objects;
    if (objects === undefined) return;
    await ownership?.releaseLease(objects, AbortSignal.timeout(RELEASE_MS_MAX));
  }

  /** Another replicator has it, or its owner object is gone: it is listed before anything else is sent. */
  #lost(error: unknown): void {
    const { holdings, parts } = this.#context;
    holdings.requireListing();
    for (const part of parts()) {
      part.interrupt?.(error);
      part.wake();
    }
  }

  get #objects(): ReplicaFiles['objects'] {
    return this.#context.connection.replica?.client.objects;
  }

  get #dueInMs(): number {
    const dueInMs = this.#context.ownership?.lease?.renewInMs ?? Infinity;
    return this.#objects === undefined ? Math.max(CLOSED_MS, dueInMs) : dueInMs;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { name, target, ownership, holdings, logger } = this.#context;
    const objects = this.#objects;
    if (objects === undefined) return;
    try {
      await ownership?.renewLease(objects, holdings.highest, signal);
      if (this.#hasLogged) logger.info(`${name}: the lease is renewed again`, { target });
      this.#hasLogged = false;
    } catch (error) {
      if (signal.aborted) throw error;
      if (isLoss(error)) this.#lost(error);
      else if (!this.#hasLogged) {
        this.#hasLogged = true;
        const code = isError(error) ? error.code : undefined;
        logger.warn(`${name}: the lease could not be renewed: ${messageOf(error)}`, {
          target,
          code,
        });
      }
    }
  }
}

function isLoss(error: unknown): boolean {
  return isError(error, 'REPLICA_IN_USE') || isError(error, 'REPLICA_CHANGED');
}

/** A replica to which nothing is written after the lease has ended. */
export function guarded(replica: OpenReplica, ownership: Ownership | undefined): OpenReplica {
  const mayBegin = ownership?.lease?.mayBegin;
  if (mayBegin === undefined) return replica;
  const { client, unsettled } = replica;
  return {
    ...replica,
    client: guardedFiles(client, mayBegin),
    unsettled: unsettled && guardedFiles(unsettled, mayBegin),
  };
}

function guardedFiles(client: ReplicaFiles, mayBegin: () => void): ReplicaFiles {
  const { encrypted, objects, copyFile, openLocalFile } = client;
  return {
    listFiles: (level, options) => client.listFiles(level, options),
    openFile: (file, options) => client.openFile(file, options),
    writeFile: (file, body, options) => client.writeFile(file, body, { ...options, mayBegin }),
    deleteFiles: (files, options) => client.deleteFiles(files, { ...options, mayBegin }),
    copyFile: copyFile && ((from, to, options) => copyFile(from, to, { ...options, mayBegin })),
    openLocalFile,
    hasGenerations:
      client.hasGenerations &&
      (async (options) => (await client.hasGenerations?.(options)) ?? false),
    encrypted,
    objects,
  };
}
