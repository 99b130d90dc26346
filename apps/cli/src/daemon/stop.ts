/**
 * What signals mean to the replicating process. Each reaches the command of -exec once.
 *
 *  SIGINT, SIGTERM, SIGHUP, SIGQUIT    the first: end after a last sync; a second: end at once
 *  SIGTSTP, SIGCONT                    stop, and go on, together with the command
 *  others that may be handled          the command's; without one they are ignored
 */

import type { Logger } from '@sluice/core/backend';
import type { RunningChild } from '../child.ts';
import {
  END_SIGNALS,
  exitCodeOfSignal,
  Interrupted,
  SignalCopies,
  type EndSignal,
} from '../interrupt.ts';
import { leaveAtOnce } from '../leave.ts';

/** What people send to make a service reload, reopen its log, or end in its own way. */
const PASSED_SIGNALS = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGALRM', 'SIGVTALRM', 'SIGIO'] as const;
/** Those which, unhandled, would end us, or open a debugger (Node does that at SIGUSR1). */
const IGNORED_SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

/** It listens until the process ends: a late copy of the first signal must not end it in another way. */
export class Stop {
  readonly #logger: Logger;
  readonly #controller = new AbortController();
  #child: RunningChild | undefined;
  #first: EndSignal | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
    for (const name of END_SIGNALS) this.#on(name, () => this.#onEnd(name));
    for (const name of IGNORED_SIGNALS) this.#on(name, () => this.#onIgnored(name));
  }

  /** Aborted by the first signal that ends us. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves with 0 at the first signal; where there is a child, with its exit code at its end. */
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
      child.kill('SIGSTOP'); // a SIGTSTP has no effect on a group that no shell looks after
      process.kill(process.pid, 'SIGSTOP');
    });
    this.#on('SIGCONT', () => child.kill('SIGCONT'));
    if (this.#first !== undefined) child.kill(this.#first); // it came while the child was started
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
      this.#logger.error(`${name} again: leaving at once; what was not sent stays staged`);
      this.#child?.kill('SIGKILL'); // it was asked once, and would survive us
      leaveAtOnce(exitCodeOfSignal(name));
    }
    this.#first = name;
    this.#child?.kill(name);
    const first = this.#child === undefined ? '' : 'waiting for the command to end, then ';
    this.#logger.info(`${name}: ${first}a last sync to every destination; again: leave at once`);
    this.#controller.abort(new Interrupted(name));
  }

  #onIgnored(name: NodeJS.Signals): void {
    if (this.#child === undefined) {
      this.#logger.info(`${name} is ignored: there is no command to pass it to`);
    }
  }
}
