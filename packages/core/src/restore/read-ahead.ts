/**
 * Reads the bytes of a plan's files in order, with several requests at once: large files in ranges,
 * small ones whole. Bytes that arrive early are buffered, up to READ_AHEAD_BYTES_MAX.
 */

import { ReplicationError } from '../error.ts';
import type { ByteRange, OpenedObject } from '../store/client.ts';
import { describeRange } from '../store/describe.ts';
import { objectChangedError } from './plan/file-changed.ts';

/** Size of one range: large enough that the cost of a request is small. */
const RANGE_BYTES: number = 4 * 1024 * 1024;
/** Bytes buffered ahead. Together with the slabs, this is the memory that a restore uses. */
const READ_AHEAD_BYTES_MAX: number = 32 * 1024 * 1024;
/**
 * Concurrent reads unless the caller sets a number. READ_AHEAD_BYTES_MAX allows 8 whole ranges; more reads
 * are for small files, where the round trip takes longest. A client makes 16 requests at once.
 */
export const READS_MAX_DEFAULT = 16;

/** How to read a listed file. */
export interface FileAccess<File> {
  /** For messages. */
  describe(file: File): string;
  canReadRanges(file: File): boolean;
  open(
    file: File,
    options: { readonly range: ByteRange | undefined; readonly signal: AbortSignal },
  ): Promise<OpenedObject>;
}

export interface ReadAheadOptions<File> {
  readonly access: FileAccess<File>;
  readonly readsMax: number;
  readonly signal: AbortSignal;
}

interface ListedFile {
  readonly sizeBytes: number;
}

export class ReadAhead<File extends ListedFile> {
  readonly #options: ReadAheadOptions<File>;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #planned: Iterator<Part<File>>;
  readonly #versions = new Map<File, string | undefined>();
  /** Started reads, in order; the first is the one that is needed next. */
  readonly #started: Reading<File>[] = [];
  readonly #running = new Set<Promise<void>>();
  #next: Part<File> | undefined;
  #heldBytes = 0;

  constructor(files: readonly File[], options: ReadAheadOptions<File>) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#planned = partsOf(files, options.access);
    this.#advance();
  }

  /** The bytes of the next file. Read each file to its end before you ask for the next. */
  async *read(file: File): AsyncGenerator<Uint8Array, void> {
    for (let isLast = false; !isLast;) {
      this.#startSome();
      const reading = this.#started[0];
      if (reading === undefined || reading.part.file !== file) {
        throw new TypeError('files must be read in the order of the plan');
      }
      yield* reading.chunks();
      this.#started.shift();
      this.#heldBytes -= reading.part.holdBytes;
      isLast = reading.part.isLast;
    }
  }

  /** Stops all reads. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the restore has ended'));
    await Promise.allSettled(this.#running);
  }

  /** Starts the first read, and more while there is room for them. */
  #startSome(): void {
    for (let part = this.#next; part !== undefined; part = this.#next) {
      const fits =
        this.#started.length < this.#options.readsMax &&
        this.#heldBytes + part.holdBytes <= READ_AHEAD_BYTES_MAX;
      if (this.#started.length > 0 && (!fits || part.isStream)) return;
      this.#advance();
      this.#heldBytes += part.holdBytes;
      const reading = new Reading(part, this.#options.access.describe(part.file), () =>
        this.#open(part),
      );
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

  /**
   * REPLICA_CHANGED if the file is not the one that was listed, or changed since the first range.
   */
  async #open({ file, range }: Part<File>): Promise<OpenedObject> {
    const { access } = this.#options;
    const opened = await access.open(file, { range, signal: this.#signal });
    const known = this.#versions.has(file) ? this.#versions.get(file) : opened.version;
    this.#versions.set(file, known);
    const listedBytes = opened.storedBytes ?? opened.sizeBytes;
    if (listedBytes === file.sizeBytes && opened.version === known) return opened;
    await opened.body[Symbol.asyncIterator]().return?.(); // frees the connection
    throw objectChangedError(access.describe(file), file.sizeBytes, listedBytes);
  }
}

interface Part<File> {
  readonly file: File;
  readonly range: { readonly start: number; readonly end: number } | undefined;
  readonly sizeBytes: number;
  readonly isLast: boolean;
  /** A large file as one stream: read on demand, never buffered. */
  readonly isStream: boolean;
  readonly holdBytes: number;
}

/** Reads large files in ranges, or as one stream if the source cannot read parts of files. */
function* partsOf<File extends ListedFile>(
  files: readonly File[],
  access: FileAccess<File>,
): Generator<Part<File>, void> {
  for (const file of files) {
    const { sizeBytes } = file;
    const isLarge = sizeBytes > RANGE_BYTES;
    if (!isLarge || !access.canReadRanges(file)) {
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

/** One read; it buffers its bytes until they are needed. */
class Reading<File> {
  readonly part: Part<File>;
  readonly #name: string;
  readonly #open: () => Promise<OpenedObject>;
  #held: Uint8Array[] = [];
  #end: 'filling' | 'full' | { readonly error: unknown } = 'filling';
  #wake: (() => void) | undefined;

  constructor(part: Part<File>, name: string, open: () => Promise<OpenedObject>) {
    this.part = part;
    this.#name = name;
    this.#open = open;
  }

  /** Reads to the end. `chunks` throws a failure when it gets there. */
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

  /** REPLICA_TRUNCATED unless exactly the requested number of bytes arrives. */
  async *#counted(): AsyncGenerator<Uint8Array, void> {
    const { range } = this.part;
    const { body, sizeBytes: wholeBytes } = await this.#open();
    const sizeBytes = range === undefined ? wholeBytes : this.part.sizeBytes;
    let received = 0;
    for await (const chunk of body) {
      received += chunk.length;
      if (received > sizeBytes) break;
      yield chunk;
    }
    if (received === sizeBytes) return;
    throw new ReplicationError(
      'REPLICA_TRUNCATED',
      `read ${this.#name}${describeRange(range)}: received ${received} of ${sizeBytes} bytes`,
    );
  }
}
