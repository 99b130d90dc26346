/** A worker thread that answers calls by ID, in any order. */

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker, type Transferable } from 'node:worker_threads';

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class ThreadCalls<Request extends object, Answer extends { readonly id: number }> {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #lastID = 0;
  #end: Error | undefined;

  /** `name`: of a file in this folder, without its extension. */
  constructor(name: string, workerData: unknown) {
    const file = new URL(`./${name}${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
    this.#worker = new Worker(file, { workerData });
    this.#worker.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
    });
    this.#worker.on('error', (error: Error) => this.#failAll(error));
    this.#worker.on('exit', (code) =>
      this.#failAll(new Error(`a thread exited with code ${code}`)),
    );
  }

  /** Number of unanswered calls. */
  get load(): number {
    return this.#waiting.size;
  }

  call(request: Request, transfer: readonly Transferable[] = []): Promise<Answer> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const id = ++this.#lastID;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id }, transfer);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #failAll(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}
