/** Handles of the processes of a round: the host of an engine (host.ts), and writers (writer.mjs). */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { DATABASE_DEFAULTS } from '../../../src/database/options.ts';
import type { HostCommand, HostReply } from './host.ts';

type HostEvent = Extract<HostReply, { kind: 'event' }>['event'];

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Far more than it takes to close a database, also on a busy machine. */
const FAILURE_MS_MAX = 60_000;
/** The engine opens a failed database again after a minute at most. */
const REOPENED_MS_MAX = 120_000;
const POLL_MS = 10;
/** End of the output that is kept for messages. */
const OUTPUT_CHARACTERS_MAX = 2_000;

export interface Staged {
  readonly content: 'increment' | 'image' | 'snapshot';
  readonly path: string;
  readonly txid: bigint;
}

/** What a host reports, to its owner. */
export interface HostContext {
  readonly database: string;
  readonly src: string;
  /** Paths of the files that are applied to the page map. */
  readonly applied: ReadonlySet<string>;
  /** The database was opened after it was idle. */
  readonly onWoken: () => void;
  readonly onCompared: (changed: number) => void;
  /** For the report of a failure: "opened: imaged, because …". */
  readonly note: (what: string) => void;
}

/** A child process with the end of what it wrote to stderr. */
class Child {
  readonly process: ChildProcess;
  #output = '';
  #isKilled = false;

  constructor(file: string, args: readonly string[]) {
    this.process = fork(path.join(HERE, file), args, {
      stdio: ['inherit', 'inherit', 'pipe', 'ipc'],
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#output = `${this.#output}${chunk.toString()}`.slice(-OUTPUT_CHARACTERS_MAX);
    });
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** How the process ended, if nobody killed it. */
  get ending(): string | undefined {
    if (!this.hasEnded || this.#isKilled) return undefined;
    const { exitCode, signalCode } = this.process;
    return `it ended by itself with ${exitCode ?? signalCode}: ${this.#output.trim()}`;
  }

  async kill(): Promise<void> {
    if (this.hasEnded) return;
    this.#isKilled = true;
    const exited = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exited;
  }
}

/** An application that writes until it is killed. */
export class Writer {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** Resolves after its first commit, however slow the machine is. */
  static async start(database: string, seed: number): Promise<Writer> {
    const child = new Child('writer.mjs', [database, String(seed)]);
    await Promise.race([once(child.process, 'message'), once(child.process, 'exit')]);
    return new Writer(child);
  }

  /** Returns the problem if it had ended by itself. */
  async kill(): Promise<string | undefined> {
    await this.#child.kill();
    const { ending } = this.#child;
    return ending && `a writer: ${ending}`;
  }
}

/** A process with an engine. */
export class Host {
  readonly #context: HostContext;
  readonly #child: Child;
  /** How the database was opened for the first time; 'ended' if the process has ended before. */
  readonly opened: Promise<'resumed' | 'imaged' | 'ended'>;
  #staged: Staged[] = [];
  #calls = new Map<number, (txid: bigint | undefined) => void>();
  #nextCall = 0;
  #failures: string[] = [];
  #openings = 0;

  constructor(context: HostContext) {
    this.#context = context;
    const { database, src } = context;
    const options = {
      ...DATABASE_DEFAULTS,
      path: database,
      metaPath: path.join(path.dirname(database), '.app.db-sluice'),
      syncIntervalMs: 50,
      minCheckpointPageCount: 50,
      checkpointIntervalMs: 100,
      idleCloseMs: 30,
    };
    this.#child = new Child('host.ts', [src, JSON.stringify(options)]);
    const { promise, resolve } = Promise.withResolvers<'resumed' | 'imaged' | 'ended'>();
    this.opened = promise;
    this.#child.process.on('message', (text: string) => {
      const reply = JSON.parse(text) as HostReply;
      if (reply.kind === 'event') this.#onEvent(reply.event, resolve);
      else {
        this.#calls.get(reply.call)?.(reply.txid === undefined ? undefined : BigInt(reply.txid));
        this.#calls.delete(reply.call);
      }
    });
    this.#child.process.on('exit', () => {
      resolve('ended');
      for (const answer of this.#calls.values()) answer(undefined);
      this.#calls.clear();
    });
  }

  send(command: HostCommand): void {
    if (this.#child.process.connected) this.#child.process.send(command);
  }

  async sync(): Promise<bigint | undefined> {
    return await this.#call('sync');
  }

  async close(): Promise<void> {
    await this.#call('close');
  }

  /** Message of the last failure. It is reported after the database was closed. */
  async failure(): Promise<string> {
    const deadline = performance.now() + FAILURE_MS_MAX;
    while (this.#failures.length === 0 && !this.#child.hasEnded && performance.now() < deadline) {
      await sleep(POLL_MS);
    }
    const { ending } = this.#child;
    return ending ?? this.#failures.at(-1) ?? `no failure within ${FAILURE_MS_MAX} ms`;
  }

  /** After a failure with `reason`, waits until the database is opened again, and syncs. */
  async syncOnceReopened(reason: string): Promise<bigint | undefined> {
    const openings = this.#openings;
    const why = await this.failure();
    if (!why.includes(reason)) return undefined;
    this.#failures = [];
    const deadline = performance.now() + REOPENED_MS_MAX;
    while (this.#openings === openings && performance.now() < deadline) await sleep(POLL_MS);
    return await this.sync();
  }

  /** Staged files in TXID order. A snapshot comes after the file with its TXID. */
  takeStaged(): Staged[] {
    const rank = ({ txid, content }: Staged): bigint =>
      txid * 2n + (content === 'snapshot' ? 1n : 0n);
    const staged = this.#staged.toSorted((a, b) => Number(rank(a) - rank(b)));
    this.#staged = [];
    return staged;
  }

  async kill(): Promise<void> {
    await this.#child.kill();
  }

  #onEvent(event: HostEvent, onOpened: (how: 'resumed' | 'imaged') => void): void {
    const { applied, note, onCompared, onWoken } = this.#context;
    if (event.kind === 'opened') {
      const how = event.proved === undefined ? 'imaged' : 'resumed';
      note(
        `opened after ${event.after}: ${how}${event.why === undefined ? '' : `, because ${event.why}`}`,
      );
      this.#openings += 1;
      if (event.after === 'idle') onWoken();
      const files = event.staged.map(({ file }) => file.path);
      this.#recover(files, applied);
      onOpened(how);
    } else if (event.kind === 'compared') {
      note(`compared: ${event.changed} pages differ`);
      onCompared(event.changed);
    } else if (event.kind === 'failed') {
      note(`failed: ${event.message}`);
      this.#failures.push(event.message);
    } else if (event.kind === 'staged') {
      const { content, file } = event;
      note(`staged: ${content} ${file.maxTXID}`);
      this.#staged.push({ content, path: file.path, txid: BigInt(file.maxTXID) });
    }
  }

  /** Adds files that were staged before a kill without an event. */
  #recover(files: readonly string[], applied: ReadonlySet<string>): void {
    for (const file of files) {
      if (applied.has(file) || this.#staged.some(({ path: known }) => known === file)) continue;
      const txid = BigInt(`0x${path.basename(file).slice(0, 16)}`);
      this.#staged.push({ content: 'increment', path: file, txid });
    }
  }

  async #call(kind: 'sync' | 'close'): Promise<bigint | undefined> {
    const call = this.#nextCall++;
    if (this.#child.hasEnded) return undefined;
    const answer = new Promise<bigint | undefined>((resolve) => this.#calls.set(call, resolve));
    this.send({ kind, call });
    return await answer;
  }
}
