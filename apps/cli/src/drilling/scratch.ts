/**
 * The scratch folder of a drill. It holds a copy of a database, so it is private, and it is removed on
 * every way out: at the end, by `process.exit`, and by a second signal. Only SIGKILL leaves it. A folder with
 * a fixed name is then removed by the next drill that uses the name.
 */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { messageOf, ReplicationError } from '@sluice/core/backend';

const PREFIX = 'sluice-drill-';
/** Retries: a process that has just been killed may still have created a file. */
const REMOVAL = { recursive: true, force: true, maxRetries: 3 } as const;

export class Scratch implements AsyncDisposable {
  readonly #folder: string;
  readonly #onExit = (): void => this.removeNow();
  #count = 0;

  /** RESTORE_OUTPUT if nothing can be created in `parent`. */
  static async create(parent: string = os.tmpdir()): Promise<Scratch> {
    const prefix = path.resolve(parent, PREFIX);
    try {
      return new Scratch(await fs.promises.mkdtemp(prefix)); // readable for its owner only
    } catch (error) {
      throw creationError(`${prefix}…`, error);
    }
  }

  /** One process at a time may use a name. Removes what a killed process has left. */
  static async createNamed(name: string, parent: string = os.tmpdir()): Promise<Scratch> {
    const folder = path.resolve(parent, `${PREFIX}${name}`);
    try {
      await fs.promises.rm(folder, REMOVAL);
      await fs.promises.mkdir(folder, { mode: 0o700 }); // fails if another user creates it now
      return new Scratch(folder);
    } catch (error) {
      throw creationError(folder, error);
    }
  }

  private constructor(folder: string) {
    this.#folder = folder;
    process.once('exit', this.#onExit);
  }

  get folder(): string {
    return this.#folder;
  }

  /** Runs `work` with a new folder, and removes that folder: there is one restored copy at a time. */
  async use<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
    this.#count += 1;
    const folder = path.join(this.#folder, String(this.#count));
    await fs.promises.mkdir(folder);
    try {
      return await work(folder);
    } finally {
      await fs.promises.rm(folder, REMOVAL);
    }
  }

  /** Synchronous, for the end of the process. */
  removeNow(): void {
    fs.rmSync(this.#folder, REMOVAL);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await fs.promises.rm(this.#folder, REMOVAL);
  }
}

function creationError(folder: string, error: unknown): ReplicationError {
  const message = `create a folder ${folder}: ${messageOf(error)}; choose another folder (-tmp, or drill.scratch)`;
  return new ReplicationError('RESTORE_OUTPUT', message, { cause: error });
}
