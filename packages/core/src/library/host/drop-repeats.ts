/**
 * Drops repeated failures from a log. A destination that stays down is logged once, then at most
 * twice a minute: repeats add nothing and hide other lines. A new kind of failure is logged at
 * once, and every attempt at the level debug.
 */

import { systemClock } from '../../clock.ts';
import type { Logger } from '../../store/backend.ts';

/** As in Litestream. */
const REPEAT_MS_MIN = 30_000;

type Fields = Readonly<Record<string, unknown>>;
type Write = (message: string, fields?: Fields) => void;

/**
 * Lines with the field `failures` are repeated attempts; `target` and `code` identify the failure.
 */
export function dropRepeats(
  logger: Logger,
  now: () => number = () => systemClock.monotonic(),
): Logger {
  const loggedAt = new Map<string, number>();
  const unlessRepeated =
    (write: Write): Write =>
    (message, fields) => {
      const { failures, target, code } = fields ?? {};
      if (typeof failures !== 'number') {
        write(message, fields);
        return;
      }
      const kind = JSON.stringify([target, code]);
      const before = loggedAt.get(kind);
      if (failures > 1 && before !== undefined && now() - before < REPEAT_MS_MIN) {
        logger.debug(message, fields);
        return;
      }
      loggedAt.set(kind, now());
      write(message, fields);
    };
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warn: unlessRepeated((message, fields) => logger.warn(message, fields)),
    error: unlessRepeated((message, fields) => logger.error(message, fields)),
  };
}
