/** Signals that end a command: the first aborts it, the second ends the process. */

import { constants } from 'node:os';
import { SIGNAL_EXIT_BASE } from './child.ts';
import { exitNow } from './exit-now.ts';

/**
 * Sent by Ctrl-C, supervisors and closed terminals; SIGQUIT by `docker stop` of PHP and nginx
 * images.
 */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT';
export const END_SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
/** A supervisor may signal a process and its group: two copies within this time count as one. */
const SAME_SIGNAL_MS = 1_000;

/** The rejection of an aborted command; the process prints one line and exits with its code. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: EndSignal) {
    super(`stopped by ${signal}`);
    this.exitCode = exitCodeOfSignal(signal);
  }
}

export function exitCodeOfSignal(signal: EndSignal): number {
  return SIGNAL_EXIT_BASE + constants.signals[signal];
}

/** Distinguishes a copy of a signal from a second signal. */
export class SignalCopies {
  readonly #seenAt = new Map<string, number>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  isCopy(name: string): boolean {
    const before = this.#seenAt.get(name);
    const now = this.#monotonic();
    if (before !== undefined && now - before < SAME_SIGNAL_MS) return true;
    this.#seenAt.set(name, now);
    return false;
  }
}

/**
 * Runs `work`. The first signal aborts it; it should then clean up. The second one ends the process, after
 * `beforeExit`.
 */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  beforeExit: () => void = () => undefined,
): Promise<Result> {
  const controller = new AbortController();
  const copies = new SignalCopies();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (copies.isCopy(signal)) return;
    if (controller.signal.aborted) {
      beforeExit();
      exitNow(exitCodeOfSignal(signal as EndSignal));
    }
    controller.abort(new Interrupted(signal as EndSignal));
  };
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  }
}
