/** Applications with `openSluice`, and what their destinations hold. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { openSluice, restore, type Sluice, type SluiceOptions } from '@sluice/core';
import { file } from '@sluice/file';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { openFolder } from '../support/replica.ts';

const APP = path.join(import.meta.dirname, 'app.main.ts');

/** A database in WAL mode, closed with the test. */
export function openDatabase(at: string): Database.Database {
  const db = new Database(at);
  onTestFinished(() => void db.close());
  db.pragma('journal_mode = wal');
  db.exec('CREATE TABLE IF NOT EXISTS t (v INTEGER PRIMARY KEY)');
  return db;
}

export function insertRow(db: Database.Database): void {
  db.exec('INSERT INTO t DEFAULT VALUES');
}

/** `app.db` in a folder, replicated to `near` and `far` there. Closed with the test. */
export async function openApp(
  folder: string,
  options: Partial<SluiceOptions> = {},
): Promise<Sluice> {
  const sluice = await openSluice({
    databases: [
      {
        path: path.join(folder, 'app.db'),
        destinations: ['near', 'far'].map((name) => file(path.join(folder, name), { name })),
      },
    ],
    ...options,
  });
  onTestFinished(async () => void (await sluice.close().catch(() => undefined)));
  return sluice;
}

/** The rows of a replica in a folder. */
export async function rowsAt(replica: string): Promise<readonly number[]> {
  const output = `${replica}-${process.hrtime.bigint()}.db`;
  const source = { name: 'replica', ...(await openFolder(replica)) };
  await restore({ sources: [source], output, target: { kind: 'latest' } });
  return rowsOf(output);
}

export function rowsOf(at: string): readonly number[] {
  const db = new Database(at, { readonly: true });
  try {
    return db.prepare('SELECT v FROM t ORDER BY v').pluck().all() as number[];
  } finally {
    db.close();
  }
}

export interface RunningApp {
  readonly process: ChildProcess;
  /** ID of the process that replicates. */
  readonly host: number;
  /** Lines after the first one. */
  readonly lines: AsyncIterableIterator<string>;
  readonly ended: Promise<unknown>;
}

/** Starts app.main.ts. */
export async function startApp(
  folder: string,
  mode: 'write' | 'leave' | 'die' | 'close',
): Promise<RunningApp> {
  const app = spawn(process.execPath, [APP, folder, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void app.kill('SIGKILL'));
  const ended = once(app, 'exit');
  const lines = createInterface({ input: app.stdout })[Symbol.asyncIterator]();
  const { value = '' } = (await lines.next()) as { readonly value?: string };
  return { process: app, host: Number(/^pid (\d+)$/.exec(value)?.[1]), lines, ended };
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
