/**
 * A simulated process: the application, or the replicator. It can be killed at any call of a port. Then
 * nothing of it runs any more: its timers are dropped, its calls never return, and its connections to
 * SQLite end as the operating system ends them, without a checkpoint.
 */

import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import Database from 'better-sqlite3';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { currentProcess, runIn, type VirtualTime } from './virtual-time.ts';

interface Connection {
  readonly database: Database.Database;
  /** Inode of the file when it was first used. */
  readonly inode: number | undefined;
}

export class SimulatedProcess {
  readonly name: string;
  readonly time: VirtualTime;
  readonly startedAt: number;
  readonly #random: Random;
  readonly #connections = new Map<Database.Database, Connection>();
  /** Names of the files that it has locked, in connections that hold the locks of all processes (file-lock.ts). */
  readonly #locks = new Map<Database.Database, Set<string>>();
  /** Open files that are closed when it is killed. undefined: its files are not followed. */
  descriptors: Set<number> | undefined;
  handles: Set<FileHandle> | undefined;
  /** Calls of ports until it is killed. */
  #callsLeft = Infinity;
  #isDead = false;
  #isDying = false;
  /** Until then it does nothing. */
  heldUntilMs = 0;
  /** The call during which it was killed. */
  killedAt: string | undefined;

  constructor(name: string, time: VirtualTime, random: Random) {
    this.name = name;
    this.time = time;
    this.startedAt = time.nowMs;
    this.#random = random;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  run<T>(work: () => T): T {
    return runIn(this, work);
  }

  /** It is killed at the `calls`-th call of a port from now. */
  killAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  /** Every call of a port begins with this. It never resolves once the process is dead. */
  async enter(call: string): Promise<void> {
    this.#callsLeft -= 1;
    if (this.#callsLeft <= 0 && !this.#isDead) this.#die(call);
    if (this.#random.chance(0.1)) await this.pause(this.#random.int(0, 15));
    await this.unlessDead();
  }

  /** Every call of a port ends with this: the process may have been killed meanwhile. */
  async unlessDead(): Promise<void> {
    if (this.#isDead) await new Promise<never>(() => undefined);
  }

  /** Whether it may write to a file. It is killed at that call as at one of a port. */
  mayWrite(): boolean {
    if (this.#isDead) {
      this.#isDying = false;
      return false;
    }
    this.#callsLeft -= 1;
    if (this.#callsLeft > 0) return true;
    this.#die('a write');
    this.#isDying = true;
    return false;
  }

  /** Whether it was killed during a write that has just begun. */
  get isDying(): boolean {
    return this.#isDying;
  }

  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.time.start(this, ms, resolve));
  }

  /** Ends the process at once. Call it when nothing of it is running. */
  kill(): void {
    if (!this.#isDead) this.#die('no call');
    endConnections([...this.#connections.values()]);
    this.#connections.clear();
    for (const [database, names] of this.#locks) {
      for (const name of names) database.exec(`DETACH ${name}`);
    }
    this.#locks.clear();
    for (const descriptor of this.descriptors ?? []) fs.closeSync(descriptor);
    this.descriptors?.clear();
    for (const handle of this.handles ?? []) void handle.close().catch(() => undefined);
    this.handles?.clear();
  }

  /** Remembers a connection to SQLite. */
  uses(database: Database.Database): void {
    if (this.#connections.has(database)) return;
    const inode = fs.statSync(database.name, { throwIfNoEntry: false })?.ino;
    this.#connections.set(database, { database, inode });
  }

  /** Remembers the locks that this statement has taken or released. */
  ran(database: Database.Database, sql: string): void {
    const [, action, name = ''] = /^(ATTACH|DETACH) (?:.* AS )?(\w+)$/s.exec(sql) ?? [];
    if (action === undefined) return;
    const names = this.#locks.get(database) ?? new Set();
    this.#locks.set(database, names);
    if (action === 'ATTACH') names.add(name);
    else names.delete(name);
  }

  #die(call: string): void {
    this.#isDead = true;
    this.killedAt = call;
  }
}

/**
 * Ends connections without a checkpoint and without removing the WAL: a read-only connection is closed
 * last. A file that was replaced keeps its idle connections, because SQLite would remove the WAL of
 * the file that has its name now.
 */
function endConnections(connections: readonly Connection[]): void {
  const guards = new Map<string, Database.Database>();
  for (const { database, inode } of connections) {
    if (!database.open) continue;
    if (database.inTransaction) database.exec('ROLLBACK');
    const path = database.name;
    if (inode === undefined || fs.statSync(path, { throwIfNoEntry: false })?.ino !== inode)
      continue;
    if (!path.endsWith('/lock') && !guards.has(path)) guards.set(path, openGuard(path));
    database.close();
  }
  for (const guard of guards.values()) guard.close();
}

function openGuard(path: string): Database.Database {
  const guard = new Database(path, { readonly: true, timeout: 0 });
  try {
    guard.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get();
  } catch {
    // A file that is not a database has no WAL to keep.
  }
  return guard;
}

/** Makes each simulated process remember its connections. Call once. */
export function installConnections(): void {
  const prototype = Database.prototype as unknown as Record<
    string,
    (...values: unknown[]) => unknown
  >;
  for (const method of ['prepare', 'pragma', 'exec']) {
    const original = prototype[method];
    if (original === undefined) throw new Error(`better-sqlite3 has no method ${method}`);
    prototype[method] = function call(this: Database.Database, ...values: unknown[]): unknown {
      currentProcess()?.uses(this);
      const result = original.apply(this, values);
      if (method === 'exec') currentProcess()?.ran(this, String(values[0]));
      return result;
    };
  }
}
