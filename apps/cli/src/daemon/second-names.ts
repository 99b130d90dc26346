/**
 * Keeps a file from being replicated under two names at once: a second name (a hard link) is left alone. A database whose
 * name has a new file may have the old one open for a moment; a new name of that one waits. So does the new name of a
 * database that is missing, until that one is gone.
 */

import fs from 'node:fs/promises';
import type { DatabaseConfig } from '../config/model.ts';
import type { DatabaseSet } from './database-set.ts';

/** A database notices within this time that its file was replaced, and closes the old one. */
const CLOSE_MS = 2_000;

export interface Names {
  readonly added: readonly DatabaseConfig[];
  /** Names of a file that is replicated under another name. */
  readonly second: readonly { readonly database: DatabaseConfig; readonly of: string }[];
  /** They have to wait. */
  readonly postponed: readonly DatabaseConfig[];
}

export class SecondNames {
  readonly #databases: DatabaseSet;
  /** The file behind each name of a database, when it was last seen. */
  #known: ReadonlyMap<string, string> = new Map();
  /** New names that wait, and since when. */
  readonly #waiting = new Map<string, number>();

  constructor(databases: DatabaseSet) {
    this.#databases = databases;
  }

  /** Call it after databases were added. */
  async remember(): Promise<void> {
    await this.#look();
  }

  async sort(found: readonly DatabaseConfig[]): Promise<Names> {
    const now = performance.now();
    const before = new Set(this.#known.values());
    const { current, isCertain } = await this.#look();
    const added: DatabaseConfig[] = [];
    const postponed: DatabaseConfig[] = [];
    const second: { database: DatabaseConfig; of: string }[] = [];
    for (const database of found) {
      const { path: file } = database.options;
      const identity = (await identityOf(file)) ?? '';
      const owner = current.get(identity);
      if (owner !== undefined) {
        second.push({ database, of: owner });
        continue;
      }
      const isOld = !isCertain || before.has(identity);
      const since = isOld ? now : (this.#waiting.get(file) ?? -Infinity);
      if (now - since >= CLOSE_MS) {
        this.#waiting.delete(file);
        added.push(database);
        if (identity !== '') current.set(identity, file); // both names may be new
      } else {
        this.#waiting.set(file, since);
        postponed.push(database);
      }
    }
    return { added, second, postponed };
  }

  /** `isCertain`: whether it is known which file each missing database of a directory was. */
  async #look(): Promise<{ readonly current: Map<string, string>; readonly isCertain: boolean }> {
    const current = new Map<string, string>();
    const known = new Map<string, string>();
    let isCertain = true;
    for (const { config, origin } of this.#databases.all) {
      const { path: file } = config.options;
      const identity = await identityOf(file);
      const last = identity ?? this.#known.get(file);
      if (identity !== undefined) current.set(identity, file);
      if (last !== undefined) known.set(file, last);
      else if (origin === 'directory') isCertain = false;
    }
    this.#known = known;
    return { current, isCertain };
  }
}

/** The file itself, under whatever name; undefined if there is none. */
async function identityOf(file: string): Promise<string | undefined> {
  const found = await fs.lstat(file, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
