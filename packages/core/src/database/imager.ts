/** Images of a followed database, one after the other: room for one, the copy, and what it missed. */

import { ReplicationError, assert } from '../error.ts';
import { lockPgno } from '../ltx/header.ts';
import { formatTXID } from '../ltx/txid.ts';
import type { FrameBatch } from '../wal/reader.ts';
import { readerOfCurrent } from './current.ts';
import { headerOf, type FileIdentity } from './encode.ts';
import type { EngineContext } from './engine.ts';
import { Imaging } from './imaging.ts';
import type { OpenDatabase } from './opening.ts';
import type { WrittenImage } from './publisher.ts';
import { spareBytes } from './room.ts';
import type { Staging } from './staging.ts';
import { isSystemError, toStagingError } from './staging-error.ts';

export interface ImagerContext extends EngineContext {
  readonly staging: Staging;
  readonly database: OpenDatabase;
}

type ReadPage = (pgno: number, into: Uint8Array) => void;

export interface ImagerHooks {
  readonly take: (batch: FrameBatch) => void;
  /** A database that has failed or was closed is copied no further. */
  readonly isOpen: () => boolean;
  /** Resolves when what is committed is held. */
  readonly untilHeld: () => Promise<void>;
  readonly onBegin: () => void;
}

export class Imager {
  readonly #context: ImagerContext;
  readonly #hooks: ImagerHooks;
  #imaging: Imaging | undefined;
  #task: Promise<void> = Promise.resolve();

  constructor(context: ImagerContext, hooks: ImagerHooks) {
    this.#context = context;
    this.#hooks = hooks;
  }

  /** `work` takes one image, after those that are being taken. */
  run(work: () => Promise<void>, onError: (error: unknown) => void): void {
    this.#task = this.#task.then(async () => {
      if (!this.#hooks.isOpen()) return;
      try {
        this.#onMoved();
        await work();
      } catch (error) {
        const what = `make a full snapshot in ${this.#context.staging.folder}`;
        onError(isSystemError(error) ? toStagingError(what, error) : error);
      } finally {
        this.#imaging?.close();
        this.#imaging = undefined;
        this.#context.gauges.set('imageMovedAt', 0);
      }
    });
  }

  /** Resolves when all are taken that were ordered. */
  async settled(): Promise<void> {
    await this.#task;
  }

  /** Frames that the image holds, if one is being copied. */
  add(batch: FrameBatch): void {
    this.#imaging?.add(batch);
  }

  /** STAGING_FULL where there is no room. Undefined if the database was closed meanwhile. */
  async copy(name: string): Promise<Imaging | undefined> {
    const { database, staging, kernel, options, emit } = this.#context;
    const { take, isOpen, untilHeld, onBegin } = this.#hooks;
    await this.#checkRoom();
    await untilHeld();
    const imaging = Imaging.begin(
      {
        kernel,
        encoding: options.pageEncoding,
        connections: database.connections,
        wal: database.wal,
        follower: database.follower,
        staging,
        take,
        stopped: () => !isOpen(),
        onMoved: this.#onMoved,
        onProgress: (doneBytes, totalBytes) => emit({ kind: 'progress', doneBytes, totalBytes }),
      },
      name,
    );
    this.#imaging = imaging;
    onBegin();
    await imaging.copy();
    return isOpen() ? imaging : undefined;
  }

  /** Reads, now, what a frozen image lacks: pages beyond the copy. Gives them one by one. */
  readRest(imaging: Imaging, commit: number): ReadPage {
    const { connections, wal, follower } = this.#context.database;
    const current = readerOfCurrent(connections, wal, follower.place);
    const lock = lockPgno(connections.pageSize);
    const pages = new Map<number, Uint8Array>();
    for (const pgno of imaging.missing(commit)) if (pgno !== lock) pages.set(pgno, current(pgno));
    return (pgno, into) => {
      const page = pages.get(pgno);
      assert(page !== undefined, 'pages beyond the copy were read when the image was frozen');
      into.set(page);
    };
  }

  /** Writes a frozen image to a temporary file. */
  async write(
    imaging: Imaging,
    rest: ReadPage,
    identity: FileIdentity,
    times: Pick<WrittenImage, 'since' | 'asOf'>,
  ): Promise<WrittenImage> {
    const { maxTXID: txid, minTXID, pageSize, commit, lineage, timestampMs } = identity;
    const name = minTXID === txid ? 'image' : 'snapshot';
    const temporary = this.#context.staging.temporary(`${name}-${formatTXID(txid)}`);
    const sizeBytes = await imaging.write(temporary, headerOf(identity), rest);
    return { txid, temporary, sizeBytes, pageSize, commit, lineage, timestampMs, ...times };
  }

  readonly #onMoved = (): void => {
    this.#context.gauges.set('imageMovedAt', this.#context.clock.monotonic());
  };

  async #checkRoom(): Promise<void> {
    const { database, staging } = this.#context;
    const need = database.connections.fileSizeBytes();
    const spare = spareBytes(await staging.room());
    if (need <= spare) return;
    throw new ReplicationError(
      'STAGING_FULL',
      `make a full snapshot of a database of ${need} bytes in ${staging.folder}: only ` +
        `${Math.max(0, Math.floor(spare))} bytes of its volume may be used, because a tenth of it stays ` +
        'free; free some space there, or set meta-path',
    );
  }
}
