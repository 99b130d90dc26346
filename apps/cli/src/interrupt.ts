/** The signals that end us, and a command that ends by itself: the first aborts it, a second ends it. */

import { constants } from 'node:os';
import { SIGNAL_EXIT_BASE } from './child.ts';
import { leaveAtOnce } from './leave.ts';

/** Ctrl-C, a supervisor, a terminal that closes, and what images of PHP and nginx are stopped with. */
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT';
export const END_SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
/** A supervisor may send one signal to a process and to its group: both copies are one signal. */
const SAME_SIGNAL_MS = 1_000;

/** What an aborted command rejects with; the process ends with its exit code, and says no more. */
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

/** Tells the second copy of a signal from a second signal. */
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

/** Runs `work`; it is aborted by the first signal and should leave nothing half done. */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const copies = new SignalCopies();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (copies.isCopy(signal)) return;
    if (controller.signal.aborted) leaveAtOnce(exitCodeOfSignal(signal as EndSignal));
    controller.abort(new Interrupted(signal as EndSignal));
  };
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  }
}
