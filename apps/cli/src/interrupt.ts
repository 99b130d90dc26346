/** SIGINT and SIGTERM for a command that ends by itself: the first aborts it, a second ends it. */

import { constants } from 'node:os';
import { SIGNAL_EXIT_BASE } from './child.ts';

export type EndSignal = 'SIGINT' | 'SIGTERM';
export const END_SIGNALS: readonly EndSignal[] = ['SIGINT', 'SIGTERM'];

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

/** Runs `work`; it is aborted by the first signal and should leave nothing half done. */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(exitCodeOfSignal(signal as EndSignal));
    controller.abort(new Interrupted(signal as EndSignal));
  };
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  }
}
