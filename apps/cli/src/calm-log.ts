/**
 * A log in which a destination that stays down says so once, and then twice a minute: the same
 * failure at each try tells nothing new, and hides what else there is. A new kind of failure is
 * said at once; every try is there at the level debug.
 */

import type { Logger } from '@sluice/core/backend';

/** As Litestream does. */
const REPEAT_MS_MIN = 30_000;

type Fields = Readonly<Record<string, unknown>>;
type Write = (message: string, fields?: Fields) => void;

/** Lines that carry `failures` are of tries that are repeated; `target` and `code` tell which. */
export function calm(logger: Logger, now: () => number = () => performance.now()): Logger {
  const saidAt = new Map<string, number>();
  const unlessRepeated =
    (write: Write): Write =>
    (message, fields) => {
      const { failures, target, code } = fields ?? {};
      if (typeof failures !== 'number') {
        write(message, fields);
        return;
      }
      const kind = JSON.stringify([target, code]);
      const before = saidAt.get(kind);
      if (failures > 1 && before !== undefined && now() - before < REPEAT_MS_MIN) {
        logger.debug(message, fields);
        return;
      }
      saidAt.set(kind, now());
      write(message, fields);
    };
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warn: unlessRepeated((message, fields) => logger.warn(message, fields)),
    error: unlessRepeated((message, fields) => logger.error(message, fields)),
  };
}
