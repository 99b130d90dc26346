/**
 * The bytes of a plan's files, in order, several reads at once: large files in ranges, small ones
 * whole. What comes early is held, within READ_AHEAD_BYTES_MAX.
 */

import { ReplicationError } from '../error.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import type { OpenedObject } from '../store/client.ts';
import { describeFile, describeRange } from '../store/describe.ts';
import { changed } from './changed.ts';

/** One range. Large enough that asking for it costs little beside the bytes. */
const RANGE_BYTES: number = 4 * 1024 * 1024;
/** Bytes that are read before it is their turn. With the slabs, what a restore holds in memory. */
const READ_AHEAD_BYTES_MAX: number = 32 * 1024 * 1024;

export interface ReadAheadOptions {
  readonly client: ReplicaFiles;
  /** 'none': the destination cannot read a part of a file, so each is read as one stream. */
  readonly ranges: 'some' | 'none';
  readonly readsMax: number;
  readonly signal: AbortSignal;
}

export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #planned: Iterator<Part>;
  readonly #versions = new Map<LTXFileInfo, string | undefined>();
  /** Started, in order; the first is the one that is wanted next. */
  readonly #started: Reading[] = [];
  readonly #running = new Set<Promise<void>>();
  #next: Part | undefined;
  #heldBytes = 0;

  constructor(files: readonly LTXFileInfo[], options: ReadAheadOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#planned = partsOf(files, options.ranges);
    this.#advance();
  }

  /** The bytes of the next file. Each must be read to its end before the next is asked for. */
  async *read(file: LTXFileInfo): AsyncGenerator<Uint8Array, void> {
    for (let isLast = false; !isLast;) {
      this.#startSome();
      const reading = this.#started[0];
      if (reading === undefined || reading.part.file !== file) {
        throw new TypeError('files are read in the order of the plan');
      }
      yield* reading.chunks();
      this.#started.shift();
      this.#heldBytes -= reading.part.holdBytes;
      isLast = reading.part.isLast;
    }
  }

  /** Ends what is still being read. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the restore has ended'));
    await Promise.allSettled(this.#running);
  }

  /** The first always; more while there is room for them. */
  #startSome(): void {
    for (let part = this.#next; part !== undefined; part = this.#next) {
      const fits =
        this.#started.length < this.#options.readsMax &&
        this.#heldBytes + part.holdBytes <= READ_AHEAD_BYTES_MAX;
      if (this.#started.length > 0 && (!fits || part.isStream)) return;
      this.#advance();
      this.#heldBytes += part.holdBytes;
      const reading = new Reading(part, () => this.#open(part));
      this.#started.push(reading);
      if (part.isStream) return;
      const running = reading.fill();
      this.#running.add(running);
      void running.then(() => this.#running.delete(running)); // it never rejects
    }
  }

  #advance(): void {
    const step = this.#planned.next();
    this.#next = step.done === true ? undefined : step.value;
  }

  /** REPLICA_CHANGED where it is not the file that was listed, or not the one of the first range. */
  async #open({ file, range }: Part): Promise<OpenedObject> {
    const opened = await this.#options.client.openFile(file, { range, signal: this.#signal });
    const known = this.#versions.has(file) ? this.#versions.get(file) : opened.version;
    this.#versions.set(file, known);
    if (opened.sizeBytes === file.sizeBytes && opened.version === known) return opened;
    await opened.body[Symbol.asyncIterator]().return?.(); // frees the connection
    throw changed(file, opened.sizeBytes);
  }
}

interface Part {
  readonly file: LTXFileInfo;
  readonly range: { readonly start: number; readonly end: number } | undefined;
  readonly sizeBytes: number;
  readonly isLast: boolean;
  /** A large file as one stream: read only when it is wanted, never held. */
  readonly isStream: boolean;
  readonly holdBytes: number;
}

function* partsOf(files: readonly LTXFileInfo[], ranges: 'some' | 'none'): Generator<Part, void> {
  for (const file of files) {
    const { sizeBytes } = file;
    const isLarge = sizeBytes > RANGE_BYTES;
    if (!isLarge || ranges === 'none') {
      const holdBytes = isLarge ? 0 : sizeBytes;
      yield { file, range: undefined, sizeBytes, isLast: true, isStream: isLarge, holdBytes };
      continue;
    }
    for (let start = 0; start < sizeBytes; start += RANGE_BYTES) {
      const end = Math.min(start + RANGE_BYTES, sizeBytes);
      const range = { start, end };
      const size = end - start;
      const isLast = end === sizeBytes;
      yield { file, range, sizeBytes: size, isLast, isStream: false, holdBytes: size };
    }
  }
}

/** One read: what came is held until it is wanted. */
class Reading {
  readonly part: Part;
  readonly #open: () => Promise<OpenedObject>;
  #held: Uint8Array[] = [];
  #end: 'filling' | 'full' | { readonly error: unknown } = 'filling';
  #wake: (() => void) | undefined;

  constructor(part: Part, open: () => Promise<OpenedObject>) {
    this.part = part;
    this.#open = open;
  }

  /** Reads to the end. A failure is told to whoever asks for the bytes. */
  async fill(): Promise<void> {
    try {
      for await (const chunk of this.#counted()) {
        this.#held.push(chunk);
        this.#wake?.();
      }
      this.#end = 'full';
    } catch (error) {
      this.#end = { error };
    }
    this.#wake?.();
  }

  async *chunks(): AsyncGenerator<Uint8Array, void> {
    if (this.part.isStream) {
      yield* this.#counted();
      return;
    }
    for (;;) {
      const held = this.#held;
      this.#held = [];
      yield* held;
      if (this.#held.length > 0) continue;
      if (this.#end === 'full') return;
      if (this.#end !== 'filling') throw this.#end.error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** REPLICA_TRUNCATED unless exactly the bytes come that were asked for. */
  async *#counted(): AsyncGenerator<Uint8Array, void> {
    const { sizeBytes, file, range } = this.part;
    const { body } = await this.#open();
    let came = 0;
    for await (const chunk of body) {
      came += chunk.length;
      if (came > sizeBytes) break;
      yield chunk;
    }
    if (came === sizeBytes) return;
    throw new ReplicationError(
      'REPLICA_TRUNCATED',
      `read ${describeFile(file)}${describeRange(range)}: ${came} of ${sizeBytes} bytes came`,
    );
  }
}
