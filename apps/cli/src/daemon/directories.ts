/**
 * Keeps the set of databases like the directories of the configuration: databases that appear are replicated, those that
 * are removed get a last sync. A renamed database is a removed and a new one: its replica stays, and the new name has its
 * own. The removed one ends first, because both names mean the same file.
 *
 * A directory that cannot be read, or is on another volume than before, says nothing about its databases: they stay.
 */

import fs from 'node:fs/promises';
import path from 'node:path';
import { watch, type FSWatcher } from 'node:fs';
import { messageOf, type Logger } from '@sluice/core/backend';
import { describeUnmatched, isCandidate } from '../config/directory.ts';
import type { Examined } from '../config/examine.ts';
import type { Config, DatabaseConfig, DirectoryConfig } from '../config/model.ts';
import { matchesPattern } from '../config/pattern.ts';
import { scanDirectory, unreadOf, type Scan } from '../config/scan.ts';
import type { DatabaseSet, Member } from './database-set.ts';
import { NO_CHANGES } from './diff.ts';
import { Outside } from './outside.ts';
import { SecondNames } from './second-names.ts';
import { UnmeantFiles } from './unmeant-files.ts';

/** A look after an event of the file system: several files often change together. */
const EVENT_MS = 100;
/** Least time between two looks, while files come and go all the time. */
const LOOK_MS_MIN = 1_000;
/** A look without an event: some file systems report none. */
const LOOK_MS_MAX = 10_000;
/** A file that is replaced is missing for a moment. */
const GONE_MS = 2_000;
/** Databases that are added in one change: other changes get their turn in between. */
const BATCH = 64;
/** Each watched folder takes memory in the kernel; the others are looked at from time to time. */
const WATCHED_MAX = 1_024;

export interface DirectoriesOptions {
  readonly databases: DatabaseSet;
  readonly config: () => Config;
  /** What is in files; never opened by this process (config/scan.ts). */
  readonly examine: (files: readonly string[]) => Promise<readonly Examined[]>;
  readonly logger: Logger;
}

export class Directories {
  readonly #options: DirectoriesOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Files that are no databases: what was in them, and their state then. */
  readonly #examined = new Map<string, { readonly state: string; readonly result: Examined }>();
  readonly #unmeant: UnmeantFiles;
  readonly #missingSince = new Map<string, number>();
  /** Databases that get their last sync. */
  readonly #removing = new Map<string, Promise<void>>();
  readonly #volumes = new Map<string, number>();
  readonly #names: SecondNames;
  readonly #outside: Outside;
  /** What was logged, so that it is logged once. */
  readonly #said: Set<string>;
  readonly #unreadable = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Infinity;
  #lastLookMs = -Infinity;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: DirectoriesOptions) {
    this.#options = options;
    this.#names = new SecondNames(options.databases);
    this.#outside = new Outside(options.databases);
    this.#unmeant = new UnmeantFiles(options.examine);
    const config = options.config();
    const { directories, notes, unread = [], unreadable = [], unmatched = [] } = config;
    this.#said = new Set(notes);
    for (const directory of directories) {
      const { dir } = directory;
      this.#outside.searched(
        dir,
        unread.filter((each) => each.config.directory === dir),
      );
      const silent = unreadable.find((each) => each.dir === dir);
      if (silent !== undefined) this.#outside.unsearched(directory, silent.why);
      const wrong = unmatched.find((each) => each.dir === dir);
      if (wrong !== undefined) this.#outside.unmatched(directory, wrong.why);
    }
  }

  /** What is not backed up: databases that wait or cannot be read, and directories that cannot be searched. */
  get outside(): readonly Member[] {
    return this.#outside.all;
  }

  /** Adds what was found when the configuration was read, then looks again and again. */
  start(found: readonly DatabaseConfig[]): void {
    const config = this.#options.config();
    if (config.directories.length === 0) return;
    for (const { dir } of config.directories) {
      const own = found.filter((each) => each.directory === dir);
      this.#outside.wait(dir, own);
    }
    this.#looking = this.#addNew(found, config).then(() => this.#look());
  }

  /** The configuration was read again. */
  update(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    this.#outside.retain(this.#options.config().directories);
    this.#schedule(0);
  }

  /** Resolves when the look under way is over. */
  async looked(): Promise<void> {
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    await this.#looking;
    await Promise.all(this.#removing.values());
  }

  #schedule(inMs: number): void {
    const now = performance.now();
    const dueMs = Math.max(now + inMs, this.#lastLookMs + LOOK_MS_MIN);
    if (this.#isClosed || dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, dueMs - now);
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    this.#dueMs = Infinity;
    const { databases, logger } = this.#options;
    const config = this.#options.config();
    for (const file of this.#missingSince.keys()) {
      if (databases.find(file) === undefined) this.#missingSince.delete(file);
    }
    for (const directory of config.directories) {
      if (!directory.watch || this.#isClosed) continue;
      try {
        await this.#lookAt(directory, config);
      } catch (error) {
        const why = messageOf(error);
        this.#outside.unsearched(directory, why);
        logger.warn(`look for databases in ${directory.dir}: ${why}; it is tried again`);
      }
    }
    this.#lastLookMs = performance.now();
    this.#schedule(LOOK_MS_MAX);
  }

  async #lookAt(directory: DirectoryConfig, config: Config): Promise<void> {
    const { databases, logger } = this.#options;
    const { dir } = directory;
    const named = config.databases.filter((each) => each.directory === undefined);
    const taken = new Set(named.map(({ options }) => options.path));
    const scan = await this.#scan(directory, taken);
    if (scan.kind === 'unreadable') {
      this.#outside.unsearched(directory, scan.why);
      if (!this.#unreadable.has(dir)) {
        logger.warn(`the databases in ${dir} stay as they are: ${scan.why}`);
      }
      this.#unreadable.add(dir);
      for (const { config: member } of databases.all) {
        if (member.directory === dir) this.#missingSince.delete(member.options.path);
      }
      return;
    }
    this.#unreadable.delete(dir);
    if (scan.unmatched === undefined) this.#outside.searched(dir, unreadOf(scan.left));
    else {
      const why = describeUnmatched(directory, scan.unmatched);
      this.#outside.unmatched(directory, why);
      this.#sayOnce(`nothing of the directory ${dir} is replicated: ${why}`);
    }
    for (const { file, why, isEmpty } of scan.left) {
      if (!isEmpty) this.#sayOnce(`${file} is left alone: ${why}`);
    }
    const there = new Set(scan.databases.map(({ options }) => options.path));
    this.#removeGone(directory, there);
    const found = scan.databases.filter(({ options: { path: file } }) => {
      return databases.find(file) === undefined && !databases.isUnregistered(file);
    });
    this.#outside.wait(dir, found);
    if (found.length > 0) await this.#addNew(found, config);
    this.#watch(directory, scan.folders);
  }

  async #scan(directory: DirectoryConfig, taken: ReadonlySet<string>): Promise<Scan> {
    const { databases } = this.#options;
    const { dir } = directory;
    const before = this.#volumes.get(dir);
    const volume = (await fs.stat(dir).catch(() => undefined))?.dev;
    if (volume !== undefined && before !== undefined && volume !== before) {
      return { kind: 'unreadable', directory, why: 'it is on another volume than before' };
    }
    if (volume !== undefined) this.#volumes.set(dir, volume);
    return await scanDirectory(directory, taken, {
      isKnown: (file) => databases.find(file) !== undefined || databases.isUnregistered(file),
      madeBefore: (file) => databases.find(file)?.config, // only its path matters: it is not added
      examine: (files) => this.#examine(files),
      examineOthers: (files) => this.#unmeant.examine(dir, files),
      directories: this.#options.config().directories,
    });
  }

  /** Looks only into files that are new, or have changed. */
  async #examine(files: readonly string[]): Promise<readonly Examined[]> {
    const states = await Promise.all(files.map(stateOf));
    const known = files.map((file, index) => {
      const before = this.#examined.get(file);
      return before?.state === states[index] ? before?.result : undefined;
    });
    const unknown = files.flatMap((_, index) => (known[index] === undefined ? [index] : []));
    const results = await this.#options.examine(unknown.map((index) => files[index] ?? ''));
    for (const [order, index] of unknown.entries()) {
      const [file = '', state = '', result] = [files[index], states[index], results[order]];
      known[index] = result;
      // One that could not be read is tried again in each look: its permissions may change, or the error may pass.
      const isKept = result !== undefined && result !== 'database' && !isUnreadable(result);
      if (isKept) this.#examined.set(file, { state, result });
      else this.#examined.delete(file);
    }
    return known.map((result) => result ?? 'empty');
  }

  /** Removes the databases whose files have been missing for a while. A last sync that takes long delays no other database. */
  #removeGone({ dir }: DirectoryConfig, there: ReadonlySet<string>): void {
    const { databases } = this.#options;
    const now = performance.now();
    for (const { config, origin } of databases.all) {
      const { path: file } = config.options;
      if (origin !== 'directory' || config.directory !== dir) continue;
      if (there.has(file)) this.#missingSince.delete(file);
      else {
        const since = this.#missingSince.get(file) ?? now;
        this.#missingSince.set(file, since);
        if (now - since < GONE_MS) this.#schedule(GONE_MS);
        else if (!this.#removing.has(file)) this.#removing.set(file, this.#remove(file));
      }
    }
  }

  async #remove(file: string): Promise<void> {
    const { databases, logger } = this.#options;
    let unsent = 'there was no last sync, because it was not replicated';
    try {
      const report = await databases.remove(file);
      const behind = (report?.destinations ?? []).filter(({ complete }) => complete === 'behind');
      const names = behind.map(({ name }) => name).join(', ');
      if (names !== '') unsent = `${names} does not have everything: it is in the staging folder`;
      else if (report !== undefined) unsent = 'every destination has everything';
    } catch (error) {
      unsent = messageOf(error);
    }
    this.#missingSince.delete(file);
    this.#removing.delete(file);
    logger.warn(
      `${file} was removed or renamed: it is no longer replicated, and its replicas stay; ${unsent}`,
      { db: file },
    );
    this.#schedule(0); // it may have a new name, which waits
  }

  async #addNew(found: readonly DatabaseConfig[], config: Config): Promise<void> {
    const { added, second, postponed } = await this.#names.sort(found);
    for (const { database, of } of second) {
      this.#outside.endWait(database);
      this.#sayOnce(`${database.options.path} is left alone: it is another name of ${of}`);
    }
    if (postponed.length > 0) this.#schedule(GONE_MS);
    await this.#add(added, config);
  }

  /** Adds nothing once another configuration applies: the next look does, with its settings. */
  async #add(found: readonly DatabaseConfig[], config: Config): Promise<void> {
    const { databases, logger } = this.#options;
    for (let start = 0; start < found.length && !this.#isClosed; start += BATCH) {
      const batch = found.slice(start, start + BATCH);
      await databases
        .change(async () => {
          const isCurrent = this.#options.config() === config;
          const added = batch.filter(({ options: { path: file } }) => {
            return isCurrent && databases.find(file) === undefined;
          });
          for (const { options } of added) {
            logger.info(`replicating ${options.path}, found in a directory`, { db: options.path });
          }
          return { ...NO_CHANGES, added };
        })
        .catch((error: unknown) => {
          if (!this.#isClosed) throw error;
        });
      if (!this.#isClosed) for (const each of batch) this.#outside.endWait(each);
    }
    await this.#names.remember();
  }

  #watch(directory: DirectoryConfig, folders: readonly string[]): void {
    const { dir } = directory;
    for (const [folder, watcher] of this.#watchers) {
      const isOurs = folder === dir || folder.startsWith(`${dir}${path.sep}`);
      if (!isOurs || folders.includes(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#isClosed || this.#watchers.has(folder)) continue;
      if (this.#watchers.size >= WATCHED_MAX) return;
      this.#watchFolder(folder, directory);
    }
  }

  #watchFolder(folder: string, directory: DirectoryConfig): void {
    try {
      const watcher = watch(folder, { persistent: false }, (kind, name) => {
        if (name === null || this.#isInteresting(folder, name, kind, directory)) {
          this.#schedule(EVENT_MS);
        }
      });
      const forget = (): void => {
        watcher.close();
        this.#watchers.delete(folder);
      };
      watcher.on('error', forget); // it is looked at from time to time
      this.#watchers.set(folder, watcher);
    } catch (error) {
      const every = `it is looked at every ${LOOK_MS_MAX / 1_000} s`;
      this.#sayOnce(`${folder} cannot be watched: ${messageOf(error)}; ${every}`);
    }
  }

  #isInteresting(
    folder: string,
    name: string,
    kind: 'rename' | 'change',
    { pattern, recursive }: DirectoryConfig,
  ): boolean {
    // Every commit changes a file; only one that was empty can become a database by that.
    if (kind === 'change') return this.#examined.has(path.join(folder, name));
    return isCandidate(name) && (recursive || matchesPattern(name, pattern));
  }

  #sayOnce(message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#options.logger.warn(message);
  }
}

function isUnreadable(result: Examined): boolean {
  return typeof result === 'object' && result.isUnreadable === true;
}

/** Changes when another file has this name, or something was written to it. */
async function stateOf(file: string): Promise<string> {
  const found = await fs.lstat(file).catch(() => undefined);
  return found === undefined ? 'missing' : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
