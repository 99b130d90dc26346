/** A logger whose messages a test can read. */

import type { Logger } from '@sluice/core/backend';

export function logTo(said: { push(message: string): unknown }): Logger {
  const log = (message: string): void => void said.push(message);
  return { debug: log, info: log, warn: log, error: log };
}
