/**
 * Tells systemd what the service does (sd_notify(3)), if it runs as `Type=notify`:
 *
 *  READY=1                 restores are done, and every database was opened once, or its status says why not
 *  STATUS=…                one line of health
 *  WATCHDOG=1              the event loop turns; twice per WatchdogSec
 *  EXTEND_TIMEOUT_USEC=…   while databases are restored before the start, and during the last sync
 *  STOPPING=1              it was told to end
 *
 * Node has no datagram sockets of Unix, so the program systemd-notify sends the messages
 * (docs/decisions/0045-notify-by-systemd-notify.md). It is run seldom, and once at a time.
 */

import { execFile } from 'node:child_process';
import type { DatabaseStatus } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import type { Environment, Shell } from '../shell.ts';

/** Time between two looks at the databases until all are opened. */
const START_POLL_MS = 250;
/** Most time between two looks at the health, and between two messages that are repeated. */
const REPORT_MS = 30_000;
/** Each message asks for this much time from now on, and is repeated three times as often. */
const EXTENSION_MS = 60_000;
/** systemd-notify waits until systemd has read the message. */
const SEND_MS_MAX = 10_000;
const STATUS_CHARACTERS_MAX = 300;

export interface NotifyOptions {
  readonly shell: Pick<Shell, 'environment' | 'secrets'>;
  readonly status: () => readonly DatabaseStatus[];
  /** Aborted when the process was told to end. */
  readonly stop: AbortSignal;
  readonly logger: Logger;
}

type Phase = 'starting' | 'running' | 'stopping' | 'last sync';

/** The messages are ours to send: a child of -exec and a drill must not be taken for the service. */
export function withoutServiceManager(environment: Environment): Environment {
  const { NOTIFY_SOCKET: _socket, WATCHDOG_USEC: _usec, WATCHDOG_PID: _pid, ...rest } = environment;
  return rest;
}

/** Undefined if no service manager waits for messages. */
export function notifyServiceManager(options: NotifyOptions): ServiceNotifier | undefined {
  return (options.shell.environment['NOTIFY_SOCKET'] ?? '') === ''
    ? undefined
    : new ServiceNotifier(options);
}

export class ServiceNotifier {
  readonly #options: NotifyOptions;
  /** Time between two signs of life; Infinity without a watchdog. */
  readonly #watchdogMs: number;
  readonly #onStop = (): void => this.#enter('stopping');
  #phase: Phase = 'starting';
  #isRestored = false;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #lastStatus = '';
  /** Time of the next message, by performance.now(). */
  #dueAt = 0;
  #isInstalled = true;

  constructor(options: NotifyOptions) {
    this.#options = options;
    this.#watchdogMs = watchdogMsOf(options.shell.environment);
    options.stop.addEventListener('abort', this.#onStop, { once: true });
    if (options.stop.aborted) this.#phase = 'stopping';
    this.#look();
  }

  /** No database waits for a restore any more. */
  restored(): void {
    this.#isRestored = true;
    this.#look();
  }

  /** The last sync may take longer than systemd waits by default. */
  lastSync(): void {
    this.#enter('last sync');
  }

  /** Resolves when the last message is sent. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#options.stop.removeEventListener('abort', this.#onStop);
    await this.#sending;
  }

  #enter(phase: 'stopping' | 'last sync'): void {
    if (this.#phase === 'last sync') return;
    this.#phase = phase;
    this.#dueAt = 0;
    this.#look();
  }

  #look(): void {
    clearTimeout(this.#timer);
    const databases = this.#options.status();
    const isOpen = this.#isRestored && databases.every(({ state }) => state !== 'opening');
    const isReady = this.#phase === 'starting' && isOpen;
    if (isReady) this.#phase = 'running';
    const status = this.#phase === 'running' ? describe(databases) : STATUS_OF[this.#phase];
    const now = performance.now();
    if (isReady || now >= this.#dueAt) {
      const words = isReady ? ['READY=1'] : this.#words();
      if (words.length > 0 || status !== this.#lastStatus) this.#send(words, status);
      this.#dueAt = now + this.#pauseMs();
    }
    const pauseMs = this.#phase === 'starting' ? START_POLL_MS : this.#pauseMs();
    this.#timer = setTimeout(() => this.#look(), pauseMs).unref();
  }

  #words(): string[] {
    const isExtended = this.#phase === 'starting' || this.#phase === 'last sync';
    return [
      ...(this.#watchdogMs < Infinity && this.#phase !== 'starting' ? ['WATCHDOG=1'] : []),
      ...(this.#phase === 'stopping' || this.#phase === 'last sync' ? ['STOPPING=1'] : []),
      ...(isExtended ? [`EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1_000}`] : []),
    ];
  }

  #pauseMs(): number {
    return Math.min(REPORT_MS, EXTENSION_MS / 3, this.#watchdogMs / 2);
  }

  #send(words: readonly string[], status: string): void {
    this.#lastStatus = status;
    const text = this.#options.shell.secrets.clean(status).replaceAll(/\s+/g, ' ');
    const message = [...words, `STATUS=${text.slice(0, STATUS_CHARACTERS_MAX)}`];
    this.#sending = this.#sending.then(() => this.#run(message));
  }

  async #run(message: readonly string[]): Promise<void> {
    if (!this.#isInstalled) return;
    const error = await new Promise<Error | null>((resolve) => {
      const { PATH, NOTIFY_SOCKET } = this.#options.shell.environment;
      const env = { PATH, NOTIFY_SOCKET };
      execFile('systemd-notify', message, { env, timeout: SEND_MS_MAX }, resolve);
    });
    if (error === null) return;
    this.#isInstalled = (error as NodeJS.ErrnoException).code !== 'ENOENT';
    this.#options.logger.warn(
      this.#isInstalled
        ? `systemd-notify failed: ${messageOf(error)}`
        : 'NOTIFY_SOCKET is set, but systemd-notify is not in PATH: install it, or use Type=exec without WatchdogSec',
    );
  }
}

/** WATCHDOG_PID names the process that is watched. */
function watchdogMsOf({ WATCHDOG_USEC: usec, WATCHDOG_PID: pid }: Environment): number {
  const isOurs = pid === undefined || pid === String(process.pid);
  const ms = Number(usec ?? 0) / 1_000;
  return isOurs && ms > 0 ? ms : Infinity;
}

const STATUS_OF = {
  starting: 'opening the databases',
  stopping: 'ending',
  'last sync': 'last sync to every destination',
} as const;

function describe(databases: readonly DatabaseStatus[]): string {
  const sick = databases.filter(({ healthy }) => !healthy);
  const [first] = sick;
  const all = `${databases.length} ${databases.length === 1 ? 'database' : 'databases'}`;
  if (first === undefined) return `${all}: healthy`;
  const why = first.problems[0]?.message ?? first.state;
  return `${sick.length} of ${all} not healthy: ${first.path}: ${why}`;
}
