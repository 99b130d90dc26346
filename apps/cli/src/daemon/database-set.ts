/**
 * The databases of this process, which come and go while it runs.
 *
 *   starting -> replicating -> stopping -> stopped, or gone
 *   starting -> failed -> starting (again after a while)
 *
 * A database that is removed or stopped gets a last sync first. Files that could not be sent stay staged, and are sent
 * when it is added again. Databases are added one change at a time, after everything that the change removes: two of them
 * never write to one destination.
 */

import {
  loggerFor,
  type DatabaseReport,
  type DrainOptions,
  type ReplicatedDatabase,
  type Replicator,
} from '@sluice/core';
import { isError, messageOf, ReplicationError, type Logger } from '@sluice/core/backend';
import type { DatabaseConfig } from '../config/model.ts';
import { Interrupted } from '../interrupt.ts';
import { eachLimited } from '../limited.ts';
import { nearestPath } from '../select.ts';
import type { DatabaseChanges } from './diff.ts';
import { CancelledRestore } from './restore-missing.ts';
import { Turns } from './turns.ts';

/** Databases that open at the same time: each reads its files and lists its destinations. */
const OPENING_MAX = 16;
/** The next one may open after this time, even if a destination does not answer. */
const OPEN_MS_MAX = 5_000;
const OPEN_EVERY_MS = 50;
/** Time between two attempts to start a database, e.g. while another process replicates it. */
const RETRY_MS = 30_000;
/** All changes that add databases. */
const ADDING = '';

export type Following = 'starting' | 'replicating' | 'stopping' | 'stopped' | 'failed';
/** Why it is replicated: it is in the configuration, in a directory of it, or was registered by a command. */
export type Origin = 'configuration' | 'directory' | 'registered';

/** A database of the set. */
export interface Member {
  readonly config: DatabaseConfig;
  readonly origin: Origin;
  readonly state: Following;
  /** Why it could not be started or restored. It stays until that has succeeded, also while it is tried again. */
  readonly error: ReplicationError | undefined;
}

type OwnMember = { -readonly [Key in keyof Member]: Member[Key] } & { isLeaving: boolean };

export interface DatabaseSetOptions {
  readonly replicator: Replicator;
  /** Those that it replicates already. */
  readonly databases: readonly DatabaseConfig[];
  readonly toReplicated: (config: DatabaseConfig, ready?: Promise<void>) => ReplicatedDatabase;
  /** Begins to restore those that are missing. */
  readonly restoreMissing: (
    databases: readonly DatabaseConfig[],
  ) => ReadonlyMap<string, Promise<void>>;
  /** Ends what else is done for a database that is no longer replicated (its restore, scrubs). */
  readonly release: (path: string) => Promise<void>;
  /** Of a last sync. */
  readonly drain: () => DrainOptions;
  readonly logger: Logger;
}

export class DatabaseSet {
  readonly #options: DatabaseSetOptions;
  readonly #members = new Map<string, OwnMember>();
  readonly #turns = new Turns();
  readonly #listeners = new Set<() => void>();
  /** Paths that a command has removed, until the configuration is read again. */
  readonly #unregistered = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: DatabaseSetOptions) {
    this.#options = options;
    for (const config of options.databases) {
      this.#members.set(config.options.path, toMember(config, 'replicating'));
    }
  }

  get all(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** Those that should be there: without those that are being removed. */
  get wanted(): readonly DatabaseConfig[] {
    return [...this.#members.values()]
      .filter(({ isLeaving }) => !isLeaving)
      .map(({ config }) => config);
  }

  /** Those that are replicated now. */
  get replicated(): readonly DatabaseConfig[] {
    return [...this.#members.values()]
      .filter(({ state }) => state === 'replicating')
      .map(({ config }) => config);
  }

  find(path: string): Member | undefined {
    return this.#members.get(path);
  }

  /** Calls `listener` when another database is replicated, or one has new settings. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Runs `plan`, which looks at the set, and applies the changes that it returns. No other change adds databases
   * meanwhile. Resolves when everything is done that can be done.
   */
  async change(
    plan: () => Promise<DatabaseChanges & { readonly origin?: Origin | undefined }>,
  ): Promise<void> {
    await this.#turns.run(ADDING, async () => {
      this.#requireOpen();
      const { removed, added, changed, rescheduled, origin } = await plan();
      for (const { after } of rescheduled) this.#setConfig(after);
      await Promise.all([
        ...removed.map(({ options }) => this.remove(options.path)),
        ...changed.map(({ before }) => this.#pause(before.options.path)),
      ]);
      for (const { after } of changed) this.#setConfig(after);
      for (const config of added) {
        const { path } = config.options;
        this.#unregistered.delete(path);
        await this.#turns.run(path, async () => undefined); // it may be leaving
        this.#members.set(path, toMember(config, 'starting', origin));
      }
      await this.#startAll([...changed.map(({ after }) => after), ...added]);
      this.#notify();
    });
  }

  /** Replicates a database that is stopped or has failed. 'already' if it is replicated. */
  async start(path: string): Promise<'started' | 'already'> {
    return await this.#turns.run(ADDING, async () => {
      this.#requireOpen();
      await this.#turns.run(path, async () => undefined); // it may be stopping
      const member = this.#get(path, 'start');
      if (member.state === 'replicating') return 'already';
      member.state = 'starting';
      member.error = undefined;
      await this.#startAll([member.config]);
      this.#notify();
      const { error } = this.#get(path, 'start');
      if (error !== undefined) throw error;
      return 'started';
    });
  }

  /** Makes a last sync, and replicates it no longer. undefined if it was stopped already. */
  async stop(path: string, options?: Partial<DrainOptions>): Promise<DatabaseReport | undefined> {
    return await this.#turns.run(path, async () => {
      this.#requireOpen();
      const member = this.#get(path, 'stop');
      const report = await this.#end(member, options);
      member.state = 'stopped';
      member.error = undefined;
      this.#notify();
      return report;
    });
  }

  /** Makes a last sync, and forgets it. undefined if it was not replicated. */
  async remove(path: string, options?: Partial<DrainOptions>): Promise<DatabaseReport | undefined> {
    const leaving = this.#members.get(path);
    if (leaving !== undefined) leaving.isLeaving = true;
    return await this.#turns.run(path, async () => {
      const member = this.#members.get(path);
      if (member !== leaving || member === undefined) return undefined;
      const report = await this.#end(member, options).catch((error: unknown) => {
        member.isLeaving = false;
        throw error;
      });
      this.#members.delete(path);
      this.#notify();
      return report;
    });
  }

  /** Removes it, and it does not come back with the next look at its directory. */
  async unregister(
    path: string,
    options?: Partial<DrainOptions>,
  ): Promise<DatabaseReport | undefined> {
    this.#requireOpen();
    this.#unregistered.add(path);
    return await this.remove(path, options);
  }

  /** Whether a command has removed it since the configuration was read. */
  isUnregistered(path: string): boolean {
    return this.#unregistered.has(path);
  }

  /** The configuration was read again. */
  forgetUnregistered(): void {
    this.#unregistered.clear();
  }

  /** While it is not replicated, and nothing else happens to it. CONFIG_INVALID if it is not here. */
  async whileStopped<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
    return await this.#turns.run(ADDING, async () => {
      this.#requireOpen();
      const member = this.#get(path, 'reset');
      const before = member.state;
      try {
        return await this.#turns.run(path, async () => {
          await this.#end(member);
          member.state = 'stopped';
          return await work();
        });
      } finally {
        if (before !== 'stopped' && member.state !== 'replicating') {
          member.state = 'starting';
          await this.#startAll([member.config]);
        }
        this.#notify();
      }
    });
  }

  /** Resolves when nothing is changing. Nothing is changed afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#turns.settled();
  }

  #requireOpen(): void {
    if (!this.#isClosed) return;
    throw new ReplicationError('REPLICA_CLOSED', 'change the databases: the replicator is ending');
  }

  /** CONFIG_INVALID if it is not here. `what` is done with it. */
  get(path: string, what: string): Member {
    return this.#get(path, what);
  }

  #get(path: string, what: string): OwnMember {
    const member = this.#members.get(path);
    if (member !== undefined && !member.isLeaving) return member;
    const meant = nearestPath(path, [...this.#members.keys()]);
    const hint = meant === undefined ? '' : `did you mean ${meant}? `;
    throw new ReplicationError(
      'CONFIG_INVALID',
      `${what} ${path}: this replicator does not have it; ${hint}"sluice list" shows what it has, and "sluice register" adds one`,
    );
  }

  #setConfig(config: DatabaseConfig): void {
    const member = this.#members.get(config.options.path);
    if (member === undefined) return;
    member.config = config;
    member.origin = originOf(config);
  }

  /** A database with other settings is not stopped by them, and its staged files are sent after its start. */
  async #pause(path: string): Promise<void> {
    await this.#turns.run(path, async () => {
      const member = this.#members.get(path);
      if (member?.state !== 'replicating') return;
      const { replicator, release } = this.#options;
      member.state = 'starting';
      await release(path);
      await replicator.execute({ kind: 'remove', path });
    });
  }

  async #end(
    member: OwnMember,
    options?: Partial<DrainOptions>,
  ): Promise<DatabaseReport | undefined> {
    if (member.state !== 'replicating') return undefined;
    const { replicator, drain, release } = this.#options;
    const { path } = member.config.options;
    member.state = 'stopping';
    try {
      await release(path);
      const report = await replicator.execute({
        kind: 'drain',
        path,
        options: { absentMs: 0, ...drain(), ...options },
      });
      await replicator.execute({ kind: 'remove', path });
      return report;
    } catch (error) {
      member.state = 'replicating'; // the replicator still has it
      throw error;
    }
  }

  async #startAll(databases: readonly DatabaseConfig[]): Promise<void> {
    const starting = databases.filter(
      ({ options }) => this.#members.get(options.path)?.state === 'starting',
    );
    const restoring = this.#options.restoreMissing(starting);
    await eachLimited(starting, OPENING_MAX, async ({ options: { path } }) => {
      await this.#turns.run(path, async () => this.#start(path, restoring.get(path)));
    });
  }

  async #start(path: string, ready: Promise<void> | undefined): Promise<void> {
    ready?.catch((error: unknown) => this.#notRestored(path, error));
    const member = this.#members.get(path);
    if (member?.state !== 'starting' || this.#isClosed) return;
    const { replicator, toReplicated } = this.#options;
    try {
      const database = toReplicated(member.config, ready);
      await replicator.execute({ kind: 'add', database });
      member.state = 'replicating';
      const { error } = member;
      const clear = (): void => {
        if (member.error === error) member.error = undefined;
      };
      ready?.then(clear, () => undefined);
      if (ready !== undefined) return;
      clear();
      await this.#whenOpened(path);
    } catch (error) {
      this.#failed(member, error);
    }
  }

  async #whenOpened(path: string): Promise<void> {
    const until = performance.now() + OPEN_MS_MAX;
    while (!this.#isClosed && performance.now() < until) {
      if (this.#options.replicator.database(path).state !== 'opening') return;
      await new Promise((resolve) => void setTimeout(resolve, OPEN_EVERY_MS));
    }
  }

  #failed(member: OwnMember, error: unknown): void {
    const { path } = member.config.options;
    member.state = 'failed';
    member.error = isError(error)
      ? error
      : new ReplicationError('STAGING_FAILED', `start ${path}: ${messageOf(error)}`);
    const { message, code } = member.error;
    const next = `it is tried again in ${RETRY_MS / 1_000} s`;
    loggerFor(this.#options.logger, path).error(`not replicated: ${message}; ${next}`, { code });
    if (this.#isClosed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      void this.#retryFailed();
    }, RETRY_MS);
  }

  async #retryFailed(): Promise<void> {
    await this.#turns.run(ADDING, async () => {
      const failed = [...this.#members.values()].filter(({ state }) => state === 'failed');
      for (const member of failed) member.state = 'starting';
      await this.#startAll(failed.map(({ config }) => config));
      if (failed.some(({ state }) => state === 'replicating')) this.#notify();
    });
  }

  /** It is missing, and could not be restored: it must not begin empty. */
  #notRestored(path: string, error: unknown): void {
    if (error instanceof Interrupted || error instanceof CancelledRestore) return;
    if (this.#isClosed) return;
    void this.#turns.run(path, async () => {
      const member = this.#members.get(path);
      if (member?.state !== 'replicating') return;
      await this.#options.replicator.execute({ kind: 'remove', path });
      this.#failed(member, error);
    });
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}

function originOf({ directory }: DatabaseConfig): Origin {
  return directory === undefined ? 'configuration' : 'directory';
}

function toMember(config: DatabaseConfig, state: Following, origin?: Origin): OwnMember {
  return { config, origin: origin ?? originOf(config), state, error: undefined, isLeaving: false };
}
