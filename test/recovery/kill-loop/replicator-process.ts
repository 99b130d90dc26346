/** Handle of a replicator process (replicator-host.ts). */

import { fork, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ended, kill } from './children.ts';
import { readEvents, type HostEvent } from './events.ts';
import { readTotals, type Totals } from './ledger.ts';
import type { HostArguments, HostOrder, HostQuestion, Settled } from './replicator-host.ts';

const CLOCK = pathToFileURL(path.join(import.meta.dirname, 'test-clock.ts')).href;
/** The replicator gives up on a destination after 3 s without success, and needs less to close. */
const STOP_MS_MAX = 20_000;
const POLL_MS = 10;

export class ReplicatorProcess {
  readonly #child: ChildProcess;
  readonly #arguments: HostArguments;
  readonly #settling = new Map<number, (settled: Settled | undefined) => void>();
  #call = 0;

  constructor(host: HostArguments) {
    this.#arguments = host;
    const file = path.join(import.meta.dirname, 'replicator-host.ts');
    this.#child = fork(file, [JSON.stringify(host)], { execArgv: ['--import', CLOCK] });
    this.#child.on('message', (message: HostQuestion) => this.#receive(message));
    this.#child.on('exit', () => {
      for (const resolve of this.#settling.values()) resolve(undefined);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits until the process has the WAL open, just before it finds its position. */
  async opened(): Promise<void> {
    while (!this.hasEnded) {
      if (openFiles(this.pid).some((file) => file.endsWith('-wal'))) return;
      await sleep(POLL_MS);
    }
  }

  get events(): HostEvent[] {
    return readEvents(this.#arguments.reportFile);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  send(order: HostOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** Destinations that have all current commits. Resolves when all do, or after a timeout. */
  async settle(): Promise<Settled> {
    const call = this.#call++;
    const settled = new Promise<Settled | undefined>((resolve) => {
      this.#settling.set(call, resolve);
      if (this.hasEnded) resolve(undefined);
    });
    this.send({ kind: 'settle', call });
    return (await settled) ?? { inSync: [] };
  }

  /** Stops the process as on SIGTERM. Returns the problem if it did not exit cleanly. */
  async stop(): Promise<string | undefined> {
    this.send({ kind: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX);
    const exitCode = await ended(this.#child);
    clearTimeout(timer);
    if (exitCode === 0) return undefined;
    if (exitCode !== undefined) return `the replicator stopped with exit code ${exitCode}`;
    return `the replicator had not stopped after ${STOP_MS_MAX} ms`;
  }

  async kill(): Promise<void> {
    await kill(this.#child);
  }

  #receive(message: HostQuestion): void {
    if (message.kind === 'settled') {
      this.#settling.get(message.call)?.(message.settled);
      this.#settling.delete(message.call);
      return;
    }
    const { database } = this.#arguments;
    this.send({ kind: 'totals', call: message.call, totals: totalsOf(database) });
  }
}

/** Files that a process has open. Empty if it has just exited. */
function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const open: string[] = [];
  try {
    for (const name of fs.readdirSync(folder)) open.push(fs.readlinkSync(path.join(folder, name)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error; // it was closed meanwhile
  }
  return open;
}

/** Returns undefined if the database is locked, corrupt, missing or has no ledger. */
function totalsOf(database: string): Totals | undefined {
  try {
    return readTotals(database);
  } catch (error) {
    if (String((error as { code?: unknown }).code).startsWith('SQLITE_')) return undefined;
    throw error;
  }
}
