/** Requests a URL at intervals while every database is healthy. A service raises an alarm when it stops. */

import type { Logger } from '@sluice/core/backend';
import type { HeartbeatSettings } from '../config/fields/notify.ts';
import { originOf, reasonOf, send } from './request.ts';

export class Heartbeat {
  readonly #settings: HeartbeatSettings;
  readonly #logger: Logger;
  /** By the monotonic clock. */
  #dueAt = -Infinity;
  #isFailing = false;

  constructor(settings: HeartbeatSettings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  /** Sends one if it is due. Never throws. */
  async tick(
    state: 'all healthy' | 'not healthy',
    now: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (state === 'not healthy' || now < this.#dueAt) return;
    const { url, intervalMs } = this.#settings;
    this.#dueAt = now + intervalMs;
    try {
      await send(url, { method: 'GET' }, signal);
      if (this.#isFailing) this.#logger.info(`heartbeats reach ${originOf(url)} again`);
      this.#isFailing = false;
    } catch (error) {
      if (signal.aborted) return;
      const message = `a heartbeat to ${originOf(url)} failed: ${reasonOf(error)}; others follow, and backups do not depend on it`;
      this.#logger[this.#isFailing ? 'debug' : 'warn'](message);
      this.#isFailing = true;
    }
  }
}
