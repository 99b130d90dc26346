/**
 * Asks the replicator again and again until the commits so far are durable at one destination, and keeps what each
 * destination has confirmed.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { callControl, isError, messageOf } from '@sluice/core';
import { mostOf, type Reported } from '../kill-loop/events.ts';
import { readTotals, type Totals } from '../kill-loop/ledger.ts';

const EVERY_MS = 500;
const TIMEOUT_MS = 20_000;
const GRACE_MS = 5_000;
/** They say that nothing is confirmed, which is true while the replicator is down or has just started. */
const ALLOWED = ['NOT_RUNNING', 'NOT_DURABLE', 'DATABASE_BUSY'] as const;

interface Answer {
  readonly txid: string;
  readonly destinations: readonly string[];
}

export class Acknowledgements {
  readonly #database: string;
  readonly #metaPath: string;
  readonly #reported = new Map<string, Reported>();
  readonly #stopping = new AbortController();
  /** Times from the call to the answer. */
  readonly tookMs: number[] = [];
  /** Number of calls without an acknowledgement. */
  refused = 0;
  /** Time of the last acknowledgement. */
  lastAt = 0;
  readonly #problems: string[] = [];
  #run: Promise<void> | undefined;

  constructor(database: string, metaPath: string) {
    this.#database = database;
    this.#metaPath = metaPath;
  }

  /** The newest state that a destination has confirmed. */
  of(name: string): Reported | undefined {
    return this.#reported.get(name);
  }

  /** Errors that the replicator must not report, since the last call. */
  takeProblems(): string[] {
    return this.#problems.splice(0);
  }

  start(): void {
    this.#run = this.#askAgain();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
  }

  /** Waits until the commits so far are at `min` destinations. Throws like the replicator. */
  async wait(min: number | 'all', timeoutMs: number): Promise<void> {
    const totals = this.#totals();
    const beganAt = performance.now();
    const answer = (await callControl({
      ...{ database: this.#database, metaPath: this.#metaPath, command: 'sync' },
      input: { min, timeout_ms: timeoutMs },
      timeoutMs: timeoutMs + GRACE_MS,
      signal: this.#stopping.signal,
    })) as Answer;
    this.lastAt = performance.now();
    this.tookMs.push(this.lastAt - beganAt);
    if (totals !== undefined) this.#record(totals, answer);
  }

  async #askAgain(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.wait(1, TIMEOUT_MS);
      } catch (error) {
        if (signal.aborted) return;
        this.refused += 1;
        if (!ALLOWED.some((code) => isError(error, code))) this.#problems.push(messageOf(error));
      }
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #record({ era, seq, rows }: Totals, { txid, destinations }: Answer): void {
    for (const name of destinations) {
      const claim = { txid: BigInt(`0x${txid}`), era, seq, rows, at: Date.now(), by: 'durable()' };
      this.#reported.set(name, mostOf(this.#reported.get(name), claim));
    }
  }

  /** Undefined if the database is locked, or has no ledger yet. */
  #totals(): Totals | undefined {
    try {
      return readTotals(this.#database);
    } catch (error) {
      if (String((error as { code?: unknown }).code).startsWith('SQLITE_')) return undefined;
      throw error;
    }
  }
}
