/**
 * Keeps the process that replicates running: starts it, sends it calls, starts it again if it ends unexpectedly,
 * and closes it.
 *
 * The application stays alive for it only while it starts, while a call waits for its answer, and during `close`.
 */

import { systemClock } from '../clock.ts';
import { messageOf, ReplicationError } from '../error.ts';
import type { SyncReport } from '../replicate/status/status.ts';
import { unlessAborted } from '../store/abort.ts';
import { notRunning, SentCalls } from './calls.ts';
import type { CredentialSource } from './destination-data.ts';
import type { SluiceEvent } from './events.ts';
import { HostProcess } from './host-process.ts';
import { fromHostFailure, type FromHost, type HostCall, type HostOptions } from './messages.ts';
import { decideRestart } from './restarts.ts';

/** A last sync that takes longer than twice its time limit and this is ended: unsent files stay staged. */
const CLOSE_MS_MAX = 60_000;
const AT_NEXT_START =
  'what is not sent stays beside the database, and is sent after the next start';

export class Supervisor {
  readonly #options: HostOptions;
  readonly #sources: readonly CredentialSource[];
  readonly #onEvent: (event: SluiceEvent) => void;
  readonly #calls = new SentCalls();
  /** Monotonic times of unexpected ends. */
  readonly #endedAt: number[] = [];
  /** Resolved while the process accepts calls; rejected when it is given up. */
  #ready = Promise.withResolvers<void>();
  #process: HostProcess;
  #restarting: NodeJS.Timeout | undefined;
  /** Number of reasons to keep the application alive. */
  #holds = 0;
  #hasOpened = false;
  /** What the process said before it ended. */
  #crash: string | undefined;
  #closed: { readonly report: SyncReport | undefined } | undefined;
  #failure: Error | undefined;
  #closing: Promise<SyncReport> | undefined;

  /** `sources`: functions of the application for credentials, by their number. */
  constructor(
    options: HostOptions,
    sources: readonly CredentialSource[],
    onEvent: (event: SluiceEvent) => void,
  ) {
    this.#options = options;
    this.#sources = sources;
    this.#onEvent = onEvent;
    this.#process = this.#start();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when calls are accepted. Rejects with the reason of a signal, or if the process is given up. */
  async whenReady(signals: readonly AbortSignal[] = []): Promise<void> {
    if (this.#closing !== undefined) throw closedError();
    await this.#held(() => unlessAborted(this.#ready.promise, signals));
  }

  /** Rejects with the error of the process, or if that ends. */
  async call(call: HostCall, signal?: AbortSignal): Promise<unknown> {
    return await this.#held(async () => {
      const { id, answer } = this.#calls.add(call);
      const process = this.#process;
      const onAbort = (): void => process.send({ kind: 'abort', id });
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        process.send({ kind: 'call', id, call });
        if (signal?.aborted === true) onAbort();
        return await answer;
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    });
  }

  /**
   * Ends the process after a last sync. NOT_RUNNING if it ended without one; a destination that is behind is in
   * the report.
   */
  async close(): Promise<SyncReport> {
    this.#closing ??= this.#held(() => this.#close());
    return await this.#closing;
  }

  async #close(): Promise<SyncReport> {
    const limitMs = 2 * this.#options.shutdownSyncTimeoutMs + CLOSE_MS_MAX;
    const timer = setTimeout(() => {
      this.#failure ??= notRunning(`it did not end within ${limitMs / 1_000} s, and was killed`);
      this.#ready.reject(this.#failure);
      this.#process.kill();
    }, limitMs);
    try {
      // If it crashes meanwhile, the next process makes the last sync.
      while (!this.#hasEnded) {
        if (this.#hasOpened) await this.#ready.promise.catch(() => undefined);
        clearTimeout(this.#restarting);
        this.#process.send({ kind: 'close' });
        await this.#process.ended;
        if (!this.#hasOpened) break;
      }
      await this.#process.ended;
    } finally {
      clearTimeout(timer);
    }
    this.#ready.reject(closedError());
    if (this.#closed?.report !== undefined) return this.#closed.report;
    if (!this.#hasOpened) return { databases: [] };
    const why = this.#failure?.message ?? this.#crash;
    throw notRunning(
      `make a last sync: the process that replicates has ended (${why}); ${AT_NEXT_START}`,
    );
  }

  /** It does not start again. */
  get #hasEnded(): boolean {
    return this.#closed !== undefined || this.#failure !== undefined;
  }

  #start(): HostProcess {
    this.#crash = undefined;
    const process = new HostProcess({
      onMessage: (message) => this.#receive(message),
      onEnd: (how) => this.#onEnd(how),
    });
    this.#process = process;
    // While the application runs, a missing database is a matter of the application.
    const missing = this.#hasOpened ? 'wait' : this.#options.missing;
    process.send({ kind: 'start', options: { ...this.#options, missing } });
    // The application stays alive until it has started; whoever waits for it gets the error.
    this.#held(() => this.#ready.promise).catch(() => undefined);
    return process;
  }

  #receive(message: FromHost): void {
    switch (message.kind) {
      case 'started':
        this.#hasOpened = true;
        this.#ready.resolve();
        return;
      case 'refused':
        this.#giveUp(fromHostFailure(message.failure));
        return;
      case 'answer':
        this.#calls.resolve(message.id, message.answer);
        return;
      case 'failure':
        this.#calls.reject(message.id, fromHostFailure(message.failure));
        return;
      case 'event':
        this.#onEvent(message.event);
        return;
      case 'ask':
        void this.#tell(message.id, message.source);
        return;
      case 'crash':
        this.#crash = message.message;
        return;
      case 'closed':
        this.#closed = message;
        return;
    }
  }

  /** Does not throw: a failure of the application's function is an error of the destination. */
  async #tell(id: number, source: number): Promise<void> {
    const process = this.#process;
    try {
      process.send({ kind: 'credentials', id, value: await this.#sources[source]?.() });
    } catch (error) {
      process.send({ kind: 'no credentials', id, message: messageOf(error) });
    }
  }

  #onEnd(how: string): void {
    const reason = this.#crash ?? how;
    this.#crash = reason;
    this.#calls.interrupt(reason);
    if (this.#hasEnded) return;
    this.#endedAt.push(systemClock.monotonic());
    if (this.#hasOpened) this.#ready = Promise.withResolvers();
    this.#ready.promise.catch(() => undefined); // it may be given up while nobody waits
    const decision = decideRestart(this.#endedAt);
    if (decision.kind === 'give up') {
      this.#giveUp(
        notRunning(
          `replicate: the process that replicates has ended ${this.#endedAt.length} times, the last time with ` +
            `${reason}; it is not started again. Start the application again, and report it with this message`,
        ),
      );
      return;
    }
    if (this.#closing !== undefined && !this.#hasOpened) return;
    this.#onEvent({ kind: 'restarted', reason });
    this.#restarting = setTimeout(() => this.#start(), decision.delayMs);
  }

  /** Nothing is replicated from now on. */
  #giveUp(error: Error): void {
    this.#failure = error;
    this.#ready.reject(error);
    if (!this.#hasOpened) return; // openSluice rejects
    const code = error instanceof ReplicationError ? error.code : undefined;
    this.#onEvent({ kind: 'error', message: error.message, code });
  }

  async #held<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#holds += 1;
    if (this.#holds === 1) this.#process?.ref();
    try {
      return await work();
    } finally {
      this.#holds -= 1;
      if (this.#holds === 0) this.#process.unref();
    }
  }
}

function closedError(): ReplicationError {
  return new ReplicationError('REPLICA_CLOSED', 'use Sluice: it is closed; open it again');
}
