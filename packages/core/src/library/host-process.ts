/** The process that replicates, as the application sees it. */

import { fork, type ChildProcess } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { threadScript } from '../threads/thread.ts';
import type { FromHost, ToHost } from './messages.ts';

/** What the process last wrote to stderr explains a crash of Node itself. */
const STDERR_CHARACTERS_MAX = 4_096;

export interface HostListener {
  readonly onMessage: (message: FromHost) => void;
  /** After its last message. */
  readonly onEnd: (how: string) => void;
}

export class HostProcess {
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #listener: HostListener;
  #stderr = '';
  #error: Error | undefined;

  /** It keeps the application alive, until `unref`. */
  constructor(listener: HostListener) {
    this.#listener = listener;
    this.#child = fork(fileURLToPath(threadScript(import.meta.url, 'host/host-worker')), {
      serialization: 'advanced',
      execArgv: [], // flags of the application, such as --inspect or --import, are not meant for it
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.ended = this.#whenEnded();
    this.#child.on('message', listener.onMessage);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** A message to a process that has ended is lost; `onEnd` follows. */
  send(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  ref(): void {
    this.#child.ref();
    this.#child.channel?.ref();
  }

  unref(): void {
    const { stderr } = this.#child;
    this.#child.unref();
    this.#child.channel?.unref();
    // A pipe to a process is a socket.
    (stderr as { unref?: () => void } | null)?.unref?.();
  }

  async #whenEnded(): Promise<void> {
    const child = this.#child;
    const how = await new Promise<string>((resolve) => {
      let exit: string | undefined;
      let isDisconnected = false;
      const check = (): void => {
        // Messages may arrive after the exit.
        if (exit !== undefined && (isDisconnected || !child.connected)) resolve(exit);
      };
      child.once('close', (code, signal) => {
        exit = signal ?? `code ${code}`;
        check();
      });
      child.once('disconnect', () => {
        isDisconnected = true;
        check();
      });
      child.on('error', (error) => {
        this.#error = error;
        if (child.pid === undefined) resolve('it could not be started'); // no other event follows
      });
    });
    // Handles are closed at the end of a turn of the event loop.
    await setImmediate();
    await setImmediate();
    const details = this.#error?.message ?? this.#stderr.trim();
    this.#listener.onEnd(details === '' ? how : `${how}: ${details}`);
  }
}
