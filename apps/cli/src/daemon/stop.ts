/**
 * Signal handling of the replicating process. Each signal reaches the command of -exec once.
 *
 *  SIGINT, SIGTERM, SIGQUIT            the first: end after a last sync; a second: end at once
 *  SIGHUP                              read the configuration again; with -once, or if the process was started in
 *                                      a terminal, which has closed then: like SIGTERM
 *  SIGTSTP, SIGCONT                    stop and continue, together with the command
 *  others that can be handled          passed to the command; ignored if there is none
 */

import { isatty } from 'node:tty';
import type { Logger } from '@sluice/core/backend';
import type { RunningChild } from '../child.ts';
import {
  END_SIGNALS,
  exitCodeOfSignal,
  Interrupted,
  SignalCopies,
  type EndSignal,
} from '../interrupt.ts';
import { exitNow } from '../exit-now.ts';

/** Sent by people to make a service reload, reopen its log, or shut down in its own way. */
const PASSED_SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGALRM', 'SIGVTALRM', 'SIGIO'] as const;
/** Unhandled, these would end us or open a debugger (Node does that on SIGUSR1). */
const IGNORED_SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

/** What SIGHUP does: its terminal has closed, or it was sent to have the configuration read again. */
export type Hangup = 'ends' | 'reloads';

/** Descriptors 0 and 1: what a service manager connects to something else. */
export function hangupOf(mode: 'once' | 'until-stopped'): Hangup {
  return mode === 'once' || isatty(0) || isatty(1) ? 'ends' : 'reloads';
}

/**
 * Listens until the process ends, so that a late copy of the first signal does not change the exit.
 */
export class Stop {
  readonly #logger: Logger;
  readonly #controller = new AbortController();
  #child: RunningChild | undefined;
  #first: EndSignal | undefined;
  #reload: (() => void) | undefined;
  #isReloadWanted = false;

  constructor(logger: Logger, hangup: Hangup) {
    this.#logger = logger;
    for (const name of END_SIGNALS) {
      const isReload = name === 'SIGHUP' && hangup === 'reloads';
      this.#on(name, isReload ? () => this.#onReload() : () => this.#onEnd(name));
    }
    for (const name of IGNORED_SIGNALS) this.#on(name, () => this.#onIgnored(name));
  }

  /** Aborted by the first ending signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Calls `reload` for each SIGHUP that does not end the process, also for one that came earlier. */
  onReload(reload: () => void): void {
    this.#reload = reload;
    if (this.#isReloadWanted) reload();
    this.#isReloadWanted = false;
  }

  /** Resolves with 0 at the first signal; if there is a child, with its exit code when it ends. */
  async whenToEnd(child: RunningChild | undefined): Promise<number> {
    if (child !== undefined) return await this.#whenEnded(child);
    if (!this.signal.aborted) {
      await new Promise((resolve) => {
        this.signal.addEventListener('abort', resolve, { once: true });
      });
    }
    return 0;
  }

  async #whenEnded(child: RunningChild): Promise<number> {
    this.#child = child;
    for (const name of PASSED_SIGNALS) this.#on(name, () => child.kill(name));
    this.#on('SIGTSTP', () => {
      child.kill('SIGSTOP'); // SIGTSTP has no effect on a process group without a shell
      process.kill(process.pid, 'SIGSTOP');
    });
    this.#on('SIGCONT', () => child.kill('SIGCONT'));
    if (this.#first !== undefined) child.kill(this.#first); // it came while the child started
    try {
      return await child.ended;
    } finally {
      this.#child = undefined;
    }
  }

  #on(name: NodeJS.Signals, handle: () => void): void {
    const copies = new SignalCopies();
    process.on(name, () => {
      if (!copies.isCopy(name)) handle();
    });
  }

  #onEnd(name: EndSignal): void {
    if (this.#first !== undefined) {
      this.#logger.error(`second ${name}: exiting at once; unsent files remain staged`);
      this.#child?.kill('SIGKILL'); // it was asked once before, and would survive us
      exitNow(exitCodeOfSignal(name));
    }
    this.#first = name;
    this.#child?.kill(name);
    const first = this.#child === undefined ? '' : 'waiting for the command to end, then ';
    this.#logger.info(
      `${name}: ${first}a last sync to every destination; send it again to exit at once`,
    );
    this.#controller.abort(new Interrupted(name));
  }

  #onReload(): void {
    this.#child?.kill('SIGHUP');
    if (this.#first !== undefined) this.#logger.info('SIGHUP is ignored: the process is ending');
    else if (this.#reload === undefined) this.#isReloadWanted = true;
    else this.#reload();
  }

  #onIgnored(name: NodeJS.Signals): void {
    if (this.#child === undefined) {
      this.#logger.info(`${name} is ignored: there is no command to pass it to`);
    }
  }
}
