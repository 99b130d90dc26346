/** Makes an image beside the following: what it needs of the log, when, and the file in the end. */

import { setImmediate as yieldToTicks } from 'node:timers/promises';
import { ReplicationError } from '../error.ts';
import type { Kernel, PageEncoding } from '../kernel/kernel.ts';
import type { LTXHeader } from '../ltx/header.ts';
import { isSameLog } from '../wal/header.ts';
import type { WALReader } from '../wal/reader.ts';
import type { Connections } from './connections.ts';
import type { LogFollower, TakeFrames } from './follow.ts';
import type { ReadPage } from './encode.ts';
import { FuzzyCopy } from './image.ts';
import { Overlay } from './overlay.ts';
import type { Staging } from './staging.ts';

/** A log may restart while its frames are taken; then they are taken anew, so often. */
const TRIES_MAX = 100;
/** A step copies 1 MiB at most. Whether there still is room is asked after so many. */
const STEPS_PER_LOOK = 16;

export interface ImagingContext {
  readonly kernel: Kernel;
  readonly encoding: PageEncoding;
  readonly connections: Connections;
  readonly wal: WALReader;
  readonly follower: LogFollower;
  readonly staging: Staging;
  /** Where ticks put their frames. */
  readonly take: TakeFrames;
  readonly stopped: () => boolean;
  /** Something was read or written: it does not stand still. */
  readonly onMoved: () => void;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

export class Imaging {
  readonly #context: ImagingContext;
  readonly #copy: FuzzyCopy;
  readonly #overlay: Overlay;
  #frozen = false;
  /** What kept a frame from being added. */
  #failure: { readonly error: unknown } | undefined;

  /** Takes all frames of the present log cycle. From now on `add` must see every fresh frame. */
  static begin(context: ImagingContext, name: string): Imaging {
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const tick = context.follower.tick(context.take);
      if (tick.kind !== 'held') continue;
      const overlay = new Overlay(
        context.staging.scratch(`${name}-overlay`),
        context.connections.pageSize,
      );
      if (takeCycle(context, tick.held, overlay)) return new Imaging(context, name, overlay);
      overlay.close();
    }
    throw new ReplicationError(
      'WAL_INVALID',
      `take a full snapshot: the WAL restarted ${TRIES_MAX} times while it was read`,
    );
  }

  private constructor(context: ImagingContext, name: string, overlay: Overlay) {
    this.#context = context;
    this.#overlay = overlay;
    this.#copy = new FuzzyCopy({
      kernel: context.kernel,
      pageSize: context.connections.pageSize,
      encoding: context.encoding,
      read: (into, position) => context.connections.readFile(into, position),
      scratch: context.staging.scratch(`${name}-copy`),
    });
  }

  /** Never throws: whoever copies and writes the image finds out. */
  add(batch: Parameters<TakeFrames>[0]): void {
    if (this.#frozen || this.#failure !== undefined) return;
    try {
      this.#overlay.add(batch);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Copies the whole file, a batch at a time, while ticks go on in between. */
  async copy(): Promise<void> {
    const { connections, staging, onMoved, onProgress } = this.#context;
    for (let steps = 0; !this.#context.stopped(); steps++) {
      if (steps % STEPS_PER_LOOK === 0) await staging.requireRoom();
      if (this.#copy.step() === 'done') break;
      this.#check();
      onMoved();
      onProgress(this.#copy.copiedPages * connections.pageSize, connections.fileSizeBytes());
      await yieldToTicks();
    }
  }

  /** The image is the state after the last frame that was added. Gives its size in pages. */
  freeze(): { commit: number } {
    this.#check();
    this.#frozen = true;
    const { connections } = this.#context;
    const filePages = Math.floor(connections.fileSizeBytes() / connections.pageSize);
    return { commit: this.#overlay.commit === 0 ? filePages : this.#overlay.commit };
  }

  /** Pages of the image that neither copy nor overlay has: to be read at the moment of freezing. */
  missing(commit: number): number[] {
    const missing: number[] = [];
    for (let pgno = this.#copy.copiedPages + 1; pgno <= commit; pgno++) {
      if (!this.#overlay.has(pgno)) missing.push(pgno);
    }
    return missing;
  }

  /** Writes the image to `temporary`, fsynced. Gives its size. */
  async write(temporary: string, header: LTXHeader, readRest: ReadPage): Promise<number> {
    const chunks = this.#copy.merge(header, this.#overlay, readRest);
    const { stopped, onMoved } = this.#context;
    return await this.#context.staging.write(
      temporary,
      (async function* () {
        for (const chunk of chunks) {
          if (stopped())
            throw new ReplicationError('STAGING_FAILED', 'the full snapshot was canceled');
          onMoved();
          yield chunk.slice(); // the kernel's views are good until its next call, and ticks call it
          await yieldToTicks();
        }
      })(),
      'image',
    );
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  close(): void {
    this.#copy.close();
    this.#overlay.close();
  }
}

function takeCycle(context: ImagingContext, held: number, overlay: Overlay): boolean {
  const { header } = context.follower.place;
  if (held === 0 || header === undefined) return true;
  let taken = 0;
  for (const batch of context.wal.readFrames(header, 1, held, header.checksum)) {
    overlay.add(batch);
    taken += batch.count;
  }
  return taken === held && isSameLog(header, context.wal.readHeader());
}
