/**
 * A worker thread that answers calls, identified by ID, in any order. The other side is `serve`.
 *
 * A service is an interface with a request and an answer for each method:
 *
 *   interface Adder { readonly add: { readonly request: Pair; readonly answer: number } }
 */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker, type Transferable } from 'node:worker_threads';
import { fromFailure, type Failure } from './failure.ts';

export type Service<Calls> = {
  readonly [Method in keyof Calls]: { readonly request: unknown; readonly answer: unknown };
};

/** A message to the thread. Without an ID, the thread sends no answer. */
export interface CallMessage {
  readonly id: number | undefined;
  readonly method: PropertyKey;
  readonly request: unknown;
}

/** A message from the thread. */
export type ReplyMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: Failure }
  | { readonly kind: 'event'; readonly event: unknown };

export interface ThreadOptions<Event> {
  /** The workerData of the thread. */
  readonly data?: unknown;
  readonly onEvent?: (event: Event) => void;
  /** Called if the thread ends without `close`. */
  readonly onEnd?: (error: Error) => void;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Thread<Calls extends Service<Calls>, Event = never> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #options: ThreadOptions<Event>;
  #lastID = 0;
  #end: Error | undefined;
  #isClosing = false;

  /** `script`: see `threadScript`. */
  constructor(script: URL, options: ThreadOptions<Event> = {}) {
    this.#options = options;
    this.#worker = new Worker(script, { workerData: options.data });
    this.#worker.on('message', (reply: ReplyMessage) => this.#receive(reply));
    this.#worker.on('error', (error) => this.#failAll(error as Error));
    this.#worker.on('exit', (code) =>
      this.#failAll(new Error(`a thread exited with code ${code}`)),
    );
  }

  /** Number of unanswered calls. */
  get load(): number {
    return this.#waiting.size;
  }

  /** Rejects with the error of the thread, with its code and message. */
  call<Method extends keyof Calls>(
    method: Method,
    request: Calls[Method]['request'],
    transfer: readonly Transferable[] = [],
  ): Promise<Calls[Method]['answer']> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastID;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post({ id, method, request }, transfer);
    });
  }

  /** Sends a call without an answer. If it fails, the thread ends. */
  notify<Method extends keyof Calls>(method: Method, request: Calls[Method]['request']): void {
    this.#post({ id: undefined, method, request }, []);
  }

  /** Terminates the thread. Pending calls reject. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#worker.terminate();
  }

  #post(message: CallMessage, transfer: readonly Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(reply: ReplyMessage): void {
    if (reply.kind === 'event') {
      this.#options.onEvent?.(reply.event as Event);
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === 'answer') waiting?.resolve(reply.answer);
    else waiting?.reject(fromFailure(reply.failure));
  }

  #failAll(error: Error): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (!this.#isClosing) this.#options.onEnd?.(error);
  }
}

/** The URL of the script `name` beside the module `url`, with the same extension (.ts in sources, .js in builds). */
export function threadScript(url: string, name: string): URL {
  return new URL(`./${name}${extname(fileURLToPath(url))}`, url);
}
