/**
 * Locks files of this process: empty SQLite databases, each under an exclusive lock of the operating system, which ends
 * with the process, however it ends. A connection holds the locks of up to ten files. One for each file would take
 * 170 KiB, which is most of the memory of an idle database.
 *
 *   ATTACH                         opens the file. BUSY if it is locked
 *   locking_mode = EXCLUSIVE       a lock, once taken, is kept until the file is closed
 *   BEGIN EXCLUSIVE, ROLLBACK      takes the lock. Nothing is written, so it works on a full disk
 *   DETACH                         closes the file, and releases its lock alone
 *
 * In exclusive mode SQLite gives up no lock before it closes the file, also if the transaction fails because another of
 * these files is locked (test/database/file-lock.test.ts). SQLite also tracks locks within its own process.
 */

import Database from 'better-sqlite3';

/** What SQLite allows a connection to attach (SQLITE_MAX_ATTACHED). */
const FILES_MAX = 10;

export interface FileLock {
  /** Releases the lock. The second call does nothing. */
  release(): void;
}

class Connection {
  readonly #database = new Database(':memory:', { timeout: 0 });
  readonly #used = new Set<string>();

  constructor() {
    this.#database.exec('PRAGMA cache_size = 1; PRAGMA page_size = 512');
  }

  get isFull(): boolean {
    return this.#used.size >= FILES_MAX;
  }

  get isEmpty(): boolean {
    return this.#used.size === 0;
  }

  /** Throws the error of SQLite, and leaves everything as it was. */
  lock(file: string): string {
    const name = this.#freeName();
    // Without prepared statements, which would stay in memory until the next garbage collection.
    this.#database.exec(`ATTACH '${file.replaceAll("'", "''")}' AS ${name}`);
    try {
      this.#database.exec(
        `PRAGMA ${name}.cache_size = 1; ` + // not twenty pages in advance
          `PRAGMA ${name}.page_size = 512; ` +
          `PRAGMA ${name}.journal_mode = MEMORY; ` +
          `PRAGMA ${name}.locking_mode = EXCLUSIVE; ` +
          'BEGIN EXCLUSIVE; ROLLBACK',
      );
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      this.#database.exec(`DETACH ${name}`);
      throw error;
    }
    this.#used.add(name);
    return name;
  }

  release(name: string): void {
    this.#database.exec(`DETACH ${name}`);
    this.#used.delete(name);
  }

  close(): void {
    this.#database.close();
  }

  #freeName(): string {
    for (let number = 1; ; number++) {
      if (!this.#used.has(`f${number}`)) return `f${number}`;
    }
  }
}

const connections = new Set<Connection>();

/** Throws the error of SQLite: with the code SQLITE_BUSY if the file is locked, SQLITE_NOTADB if it is no database. */
export function lockFile(file: string): FileLock {
  const connection = [...connections].find(({ isFull }) => !isFull) ?? new Connection();
  connections.add(connection);
  try {
    const name = connection.lock(file);
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        connection.release(name);
        closeIfEmpty(connection);
      },
    };
  } catch (error) {
    closeIfEmpty(connection);
    throw error;
  }
}

function closeIfEmpty(connection: Connection): void {
  if (!connection.isEmpty) return;
  connections.delete(connection);
  connection.close();
}
