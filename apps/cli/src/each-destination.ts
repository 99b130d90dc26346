/** Runs a command for several destinations. If one fails, the others still get their turn. */

import { isError, messageOf, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';
import { exitCodeOf } from './exit-of-error.ts';
import { interruptible } from './interrupt.ts';

/**
 * Calls `visit` for each destination, one after another, until the command is interrupted. Logs the error of
 * one of several destinations, and throws that of a single one. Returns the exit code.
 */
export async function visitEach(
  destinations: readonly DestinationConfig[],
  logger: Logger,
  visit: (destination: DestinationConfig, signal: AbortSignal) => Promise<void>,
): Promise<number> {
  let exitCode = 0;
  await interruptible(async (signal) => {
    for (const destination of destinations) {
      try {
        await visit(destination, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (destinations.length === 1) throw error;
        exitCode = exitCodeOf(error);
        const code = isError(error) ? error.code : undefined;
        logger.error(`${destination.name}: ${messageOf(error)}`, { code });
      }
    }
  });
  return exitCode;
}

/** Names and targets, for a message. */
export function namesOf(destinations: readonly DestinationConfig[]): string {
  return destinations.map(({ name, target }) => `${name} (${target})`).join(', ');
}
