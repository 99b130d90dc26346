/** A logger whose messages a test can read. */

import type { Logger } from '@sluice/core/backend';

export function logTo(messages: { push(message: string): unknown }): Logger {
  const log = (message: string): void => void messages.push(message);
  return { debug: log, info: log, warn: log, error: log };
}
