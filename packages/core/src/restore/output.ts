/** The file that is restored into: beside its name until it is whole and durable. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { ReplicationError } from '../error.ts';
import { makeFolder, syncFolder } from '../database/files.ts';

/** What SQLite keeps beside a database. An old one would be taken for the restored database's. */
const SIDE_FILES = ['-wal', '-shm', '-journal'];

export type Overwrite = 'refuse' | 'replace';

export class Output {
  readonly #path: string;
  readonly #temporary: string;
  readonly #handle: fs.FileHandle;

  /** RESTORE_TARGET_EXISTS where the name, or what SQLite keeps beside it, is taken. */
  static async open(output: string, overwrite: Overwrite): Promise<Output> {
    if (overwrite === 'refuse') await refuseExisting(output);
    await makeFolder(path.dirname(path.resolve(output)));
    const temporary = `${output}.tmp`;
    return new Output(output, temporary, await fs.open(temporary, 'w+', 0o644));
  }

  private constructor(output: string, temporary: string, handle: fs.FileHandle) {
    this.#path = output;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  get descriptor(): number {
    return this.#handle.fd;
  }

  get temporary(): string {
    return this.#temporary;
  }

  async resize(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
  }

  /** Makes the bytes durable. */
  async sync(): Promise<void> {
    await this.#handle.sync();
  }

  /** Gives the file its name, durably. An old WAL goes first: it must never meet the new file. */
  async publish(): Promise<void> {
    await this.#handle.close();
    for (const side of SIDE_FILES) await fs.rm(`${this.#path}${side}`, { force: true });
    await fs.rename(this.#temporary, this.#path);
    await syncFolder(path.dirname(path.resolve(this.#path)));
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined); // it may be closed already
    for (const side of ['', ...SIDE_FILES]) {
      await fs.rm(`${this.#temporary}${side}`, { force: true });
    }
  }
}

async function refuseExisting(output: string): Promise<void> {
  for (const name of [output, ...SIDE_FILES.map((side) => `${output}${side}`)]) {
    const stat = await fs.stat(name).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (stat === undefined) continue;
    throw new ReplicationError(
      'RESTORE_TARGET_EXISTS',
      `restore to ${output}: ${name} exists; choose another output, or say that it may be replaced (-force)`,
    );
  }
}
