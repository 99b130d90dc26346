/** A replicator as a process of its own, as the kill loop sees it: replicator-host.ts is inside. */

import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ended, kill } from './children.ts';
import { readEvents, type HostEvent } from './events.ts';
import { readTotals, type Totals } from './ledger.ts';
import type { HostArguments, HostOrder, HostQuestion, Settled } from './replicator-host.ts';

const CLOCK = pathToFileURL(path.join(import.meta.dirname, 'test-clock.ts')).href;
/** It gives a destination up after some 3 s without success; closing takes less. */
const STOP_MS_MAX = 20_000;

export class ReplicatorProcess {
  readonly #child: ChildProcess;
  readonly #arguments: HostArguments;
  readonly #settling = new Map<number, (settled: Settled | undefined) => void>();
  #call = 0;
  /** Resolves when it has been set up, or has ended: its threads begin with their databases then. */
  readonly begun: Promise<void>;
  #setUp: () => void = () => undefined;

  constructor(host: HostArguments) {
    this.#arguments = host;
    this.begun = new Promise((resolve) => {
      this.#setUp = resolve;
    });
    const file = path.join(import.meta.dirname, 'replicator-host.ts');
    this.#child = fork(file, [JSON.stringify(host)], { execArgv: ['--import', CLOCK] });
    this.#child.on('message', (message: HostQuestion) => this.#receive(message));
    this.#child.on('exit', () => {
      this.#setUp();
      for (const resolve of this.#settling.values()) resolve(undefined);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
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

  /** Which destinations have what is committed now, once they do or some time has passed. */
  async settle(): Promise<Settled> {
    const call = this.#call++;
    const settled = new Promise<Settled | undefined>((resolve) => {
      this.#settling.set(call, resolve);
      if (this.hasEnded) resolve(undefined);
    });
    this.send({ kind: 'settle', call });
    return (await settled) ?? { inSync: [] };
  }

  /** As at a SIGTERM. Gives what is wrong with how it ended. */
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
    this.#setUp(); // it asks once it is
    if (message.kind === 'settled') {
      this.#settling.get(message.call)?.(message.settled);
      this.#settling.delete(message.call);
      return;
    }
    const { database } = this.#arguments;
    this.send({ kind: 'totals', call: message.call, totals: totalsOf(database) });
  }
}

/** undefined where the database is locked, corrupt, missing, or has no ledger. */
function totalsOf(database: string): Totals | undefined {
  try {
    return readTotals(database);
  } catch (error) {
    if (String((error as { code?: unknown }).code).startsWith('SQLITE_')) return undefined;
    throw error;
  }
}
