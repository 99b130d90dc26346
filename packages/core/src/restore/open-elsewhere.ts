/**
 * Finds the processes that have a database open, by the locks of SQLite that Linux lists.
 *
 *  file    bytes                     lock
 *  <db>    0x40000000 to 0x400001ff  held during transactions, and by every connection in WAL mode
 *  -shm    120 to 128                held by every connection in WAL mode
 *
 * A connection in rollback mode outside a transaction has no locks, so it is not found. Other systems
 * have no list: nothing is found there.
 */

import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';

/** A process that has a lock on a database. */
export interface Holder {
  /** 0 if the process is outside this container. */
  readonly pid: number;
  /** "node server.js"; undefined if it has just ended, or is outside this container. */
  readonly name: string | undefined;
}

/** The processes, except for this one, that have locks on a database. */
export async function findHolders(database: string): Promise<Holder[]> {
  const text = await readIfThere('/proc/locks');
  if (text === undefined) return [];
  const stats = await Promise.all([database, `${database}-shm`].map((file) => statIfThere(file)));
  const files = new Set(stats.filter((found) => found !== undefined).map(lockedFileOf));
  const pids = holdersIn(text, files).filter((pid) => pid !== process.pid);
  return await Promise.all(pids.map(async (pid) => ({ pid, name: await readName(pid) })));
}

async function readName(pid: number): Promise<string | undefined> {
  if (pid <= 0) return undefined;
  const line = await readIfThere(`/proc/${pid}/cmdline`);
  return line === undefined ? undefined : programOf(line);
}

/**
 * The program, and the script that it runs. No other argument is shown, because it may be a secret.
 * Pure. `line` has a NUL after each argument.
 */
export function programOf(line: string): string | undefined {
  const [program = '', script = ''] = line.split('\0').map(toName);
  if (program === '') return undefined;
  return /^[^-].*\.(?:[cm]?[jt]s|py|rb|php|pl|sh)$/.test(script) ? `${program} ${script}` : program;
}

/** "process 123 (node) and a process outside this container" */
export function describeHolders(holders: readonly Holder[]): string {
  return holders
    .map(({ pid, name }) => {
      if (pid <= 0) return 'a process outside this container';
      return name === undefined ? `process ${pid}` : `process ${pid} (${name})`;
    })
    .join(' and ');
}

function toName(argument: string): string {
  return path.basename(argument).replaceAll(/[^ -~]/g, '?'); // no control characters in messages
}

/**
 * The processes that hold locks on these files, each once. Pure.
 *
 *     1: POSIX  ADVISORY  READ 8477 00:1b:21055 128 128
 *     1: -> POSIX  ADVISORY  WRITE 8478 00:1b:21055 128 128     waits for the lock above
 */
export function holdersIn(locks: string, files: ReadonlySet<string>): number[] {
  const pids = new Set<number>();
  for (const line of locks.split('\n')) {
    const [, pid = '', file = ''] =
      /^\d+: +POSIX +\S+ +\S+ +(-?\d+) +([0-9a-f]+:[0-9a-f]+:\d+) /.exec(line) ?? [];
    if (files.has(file)) pids.add(Number(pid));
  }
  return [...pids];
}

/** How /proc/locks names a file: device numbers in hexadecimal, the inode in decimal. */
export function lockedFileOf({ dev, ino }: Pick<Stats, 'dev' | 'ino'>): string {
  const number = BigInt(dev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0');
  return `${hex(major)}:${hex(minor)}:${ino}`;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch {
    return undefined; // another system, no permission, or the process has ended
  }
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(file);
  } catch {
    return undefined;
  }
}
