/**
 * Errors that nobody caught, in the replicating process. An error that escaped from the backend of a
 * destination fails that destination alone. Every other one is a bug: the process ends at once, because its
 * state may be wrong.
 */

import { isBrokenInvariant, ownerOfEscaped } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import { describeError } from '../describe-error.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { exitNow } from '../exit-now.ts';
import type { Shell } from '../shell.ts';

/**
 * Handles them until the process ends: an SDK may fail after its client was closed. The logger drops repeats.
 */
export function handleEscapedErrors({ stderr, secrets }: Shell, logger: Logger): void {
  const counts = new Map<string, number>();
  const handle = (error: unknown): void => {
    // Core runs in the context of a backend while it reads a body for it, for example.
    const owner = isBrokenInvariant(error) ? undefined : ownerOfEscaped();
    if (owner === undefined) {
      stderr.write(`${secrets.clean(describeError(error))}\n`);
      exitNow(EXIT_CODES.failed);
    }
    const stack = error instanceof Error ? error.stack : undefined;
    const message = `an error escaped from the backend of ${owner.name}: ${messageOf(error)}`;
    const failures = (counts.get(owner.name) ?? 0) + 1;
    counts.set(owner.name, failures);
    logger.error(message, { target: owner.name, failures, stack });
    owner.escaped(error);
  };
  process.on('uncaughtException', handle);
  process.on('unhandledRejection', handle);
}
