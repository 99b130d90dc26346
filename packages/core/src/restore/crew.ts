/** Who decodes: threads, or for little the caller's own. Pieces may end in any order. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ReplicationError } from '../error.ts';
import { PieceDecoder } from './decode.ts';
import type { Answer, Failure, Piece, Setting } from './messages.ts';
import type { Slabs } from './slabs.ts';

export interface Crew {
  /** The CRC of the piece; its wanted pages are written then, and its slab is free again. */
  decode(piece: Piece): Promise<bigint>;
  /** When it resolves nobody writes any more. */
  close(): Promise<void>;
}

/** No threads: starting one costs more than decoding a few megabytes. */
export function inlineCrew({ descriptor }: Setting, slabs: Slabs): Crew {
  const decoder = new PieceDecoder(descriptor);
  return {
    async decode(piece) {
      try {
        return decoder.decode(piece);
      } finally {
        slabs.give(piece.slab);
      }
    },
    async close() {},
  };
}

export function threadCrew(setting: Setting, slabs: Slabs, count: number): Crew {
  const threads = Array.from({ length: count }, () => new Thread(setting, slabs));
  return {
    /** Goes to the thread with the least to do: there are few more slabs than threads. */
    decode: (piece) => threads.reduce((a, b) => (b.load < a.load ? b : a)).decode(piece),
    async close() {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface Waiting {
  readonly resolve: (crc: bigint) => void;
  readonly reject: (error: unknown) => void;
}

class Thread {
  readonly #worker: Worker;
  readonly #slabs: Slabs;
  readonly #waiting = new Map<number, Waiting>();
  #lastID = 0;
  #end: Error | undefined;

  constructor(setting: Setting, slabs: Slabs) {
    const file = new URL(`./worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
    this.#slabs = slabs;
    this.#worker = new Worker(file, { workerData: setting });
    this.#worker.on('message', (answer: Answer) => this.#settle(answer));
    this.#worker.on('error', (error: Error) => this.#failAll(error));
    this.#worker.on('exit', (code) => this.#failAll(new Error(`a thread ended with ${code}`)));
  }

  get load(): number {
    return this.#waiting.size;
  }

  decode(piece: Piece): Promise<bigint> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastID;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...piece, id }, [piece.slab.buffer, piece.targets.buffer]);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle({ id, slab, result }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    this.#slabs.give(slab);
    if (typeof result === 'bigint') waiting?.resolve(result);
    else waiting?.reject(revive(result));
  }

  #failAll(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}

function revive({ code, message }: Failure): Error {
  return code === undefined ? new Error(message) : new ReplicationError(code, message);
}
