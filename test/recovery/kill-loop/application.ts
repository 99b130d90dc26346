/** The application with the ledger, as a process that takes orders. */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { kill } from './children.ts';

export type ApplicationOrder =
  | { readonly kind: 'checkpoint'; readonly mode: 'PASSIVE' | 'FULL' | 'RESTART' | 'TRUNCATE' }
  /** Commits one transaction. A large one does not fit into a small tail. */
  | { readonly kind: 'small' | 'large' }
  /** Stops random writes until `resume`. */
  | { readonly kind: 'pause' | 'resume' };

interface OrderReply {
  readonly call: number;
  /** False if a lock was not released in time. */
  readonly isDone: boolean;
}

/** Exit code of ledger-writer.mjs if its database is corrupt. */
const CORRUPT_EXIT_CODE = 77;

export class Application {
  readonly #database: () => string;
  readonly #attempted: string;
  readonly #pageSize: number;
  readonly #pauseMs: number | undefined;
  readonly #calls = new Map<number, (isDone: boolean) => void>();
  #writer: ChildProcess | undefined;
  #call = 0;
  #sawCorruption = false;
  #wasKilled = false;

  /** `pauseMs` is the longest pause between two bursts of transactions. Default: random, short. */
  constructor(database: () => string, attempted: string, pageSize: number, pauseMs?: number) {
    this.#database = database;
    this.#attempted = attempted;
    this.#pageSize = pageSize;
    this.#pauseMs = pauseMs;
  }

  get isRunning(): boolean {
    return this.#writer !== undefined;
  }

  /** Whether it was killed since `forgetKills`, possibly during a checkpoint. */
  get wasKilled(): boolean {
    return this.#wasKilled;
  }

  forgetKills(): void {
    this.#wasKilled = false;
  }

  /** Whether SQLite reported a corrupt database to it. */
  get sawCorruption(): boolean {
    return this.#sawCorruption;
  }

  /** Returns and resets `sawCorruption`. */
  takeCorruption(): boolean {
    const saw = this.#sawCorruption;
    this.#sawCorruption = false;
    return saw;
  }

  /** Resolves when the application is writing. */
  async start(seed: number): Promise<void> {
    if (this.#writer !== undefined) return;
    const args = [this.#database(), this.#attempted, String(seed), String(this.#pageSize)];
    if (this.#pauseMs !== undefined) args.push(String(this.#pauseMs));
    const writer = fork(path.join(import.meta.dirname, 'ledger-writer.mjs'), args);
    this.#writer = writer;
    const exited = once(writer, 'exit');
    writer.on('exit', (code) => this.#ended(writer, code));
    await Promise.race([once(writer, 'message'), exited]);
    writer.on('message', ({ call, isDone }: OrderReply) => this.#answer(call, isDone));
  }

  async kill(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    this.#wasKilled ||= writer !== undefined;
    await kill(writer);
  }

  /** Resolves to whether the order was carried out. */
  async order(order: ApplicationOrder): Promise<boolean> {
    const writer = this.#writer;
    if (writer?.connected !== true) return false;
    const call = this.#call++;
    const answered = new Promise<boolean>((resolve) => this.#calls.set(call, resolve));
    writer.send({ ...order, call });
    return await answered;
  }

  #answer(call: number, isDone: boolean): void {
    this.#calls.get(call)?.(isDone);
    this.#calls.delete(call);
  }

  #ended(writer: ChildProcess, code: number | null): void {
    for (const call of [...this.#calls.keys()]) this.#answer(call, false);
    if (this.#writer === writer) this.#writer = undefined;
    if (code === CORRUPT_EXIT_CODE) this.#sawCorruption = true;
    else if (code !== null) throw new Error(`the application ended with ${code}`);
  }
}
