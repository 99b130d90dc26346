/** Looks at the health of all databases at intervals, for heartbeats and notifications. Delays nothing else. */

import type { DatabaseStatus } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import type { HeartbeatSettings, NotifySettings } from '../config/fields/notify.ts';
import { findUnready } from '../http/health.ts';
import type { Secrets } from '../secrets.ts';
import { Heartbeat } from './heartbeat.ts';
import { Notifier } from './notifier.ts';

/** How soon a change is noticed. With thousands of databases a look takes some tens of milliseconds. */
const LOOK_MS = 5_000;

export interface HealthWatchOptions {
  readonly heartbeat: HeartbeatSettings | undefined;
  readonly notify: readonly NotifySettings[];
  /** Judged with the last drills. */
  readonly health: () => Promise<readonly DatabaseStatus[]>;
  readonly logger: Logger;
  readonly secrets: Secrets;
  readonly lookMs?: number | undefined;
}

export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #notifiers: readonly Notifier[];
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  /** Each one sends at its own speed: a slow one delays no other. */
  readonly #sending = new Map<object, Promise<void>>();

  constructor(options: HealthWatchOptions) {
    const { heartbeat, notify, logger, lookMs = LOOK_MS } = options;
    this.#options = options;
    this.#heartbeat = heartbeat && new Heartbeat(heartbeat, logger);
    this.#notifiers = notify.map((target) => new Notifier(target, options));
    this.#timer = setInterval(() => void this.#look(), lookMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await Promise.all(this.#sending.values());
  }

  async #look(): Promise<void> {
    try {
      const databases = await this.#options.health();
      if (this.#abort.signal.aborted) return;
      const now = performance.now();
      const isWell =
        databases.every(({ healthy }) => healthy) && findUnready(databases).length === 0;
      const { signal } = this.#abort;
      const heartbeat = this.#heartbeat;
      if (heartbeat !== undefined) {
        const state = isWell ? 'all healthy' : 'not healthy';
        this.#unlessBusy(heartbeat, () => heartbeat.tick(state, now, signal));
      }
      for (const each of this.#notifiers) {
        this.#unlessBusy(each, () => each.tick(databases, now, signal));
      }
    } catch (error) {
      this.#options.logger.warn(`the health could not be looked at: ${String(error)}`);
    }
  }

  #unlessBusy(sender: object, work: () => Promise<void>): void {
    if (this.#sending.has(sender)) return;
    const sending = work().finally(() => this.#sending.delete(sender));
    this.#sending.set(sender, sending);
  }
}
