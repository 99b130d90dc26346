/** Tells one target of `notify` what has changed. */

import os from 'node:os';
import type { Logger } from '@sluice/core/backend';
import type { NotifySettings } from '../config/fields/notify.ts';
import type { Secrets } from '../secrets.ts';
import {
  afterMessage,
  describeMessage,
  planMessages,
  stillKnown,
  type HealthMessage,
  type Judged,
  type Told,
} from './changes.ts';
import { originOf, reasonOf, send, type Outgoing } from './request.ts';
import { fillIn, renderTemplate, type TemplateValues } from './template.ts';

/** Changes in between are sent together, if they last. */
const PAUSE_MS = 30_000;
/** The pause doubles with each failure, up to this. */
const PAUSE_MS_MAX = 600_000;

export interface NotifierContext {
  readonly logger: Logger;
  readonly secrets: Secrets;
}

export class Notifier {
  readonly #settings: NotifySettings;
  readonly #context: NotifierContext;
  #told: Told = new Set();
  /** By the monotonic clock. */
  #dueAt = -Infinity;
  #failures = 0;

  constructor(settings: NotifySettings, context: NotifierContext) {
    this.#settings = settings;
    this.#context = context;
  }

  /** Sends what has changed, if it is due. Never throws. */
  async tick(databases: readonly Judged[], now: number, signal: AbortSignal): Promise<void> {
    if (now < this.#dueAt) return;
    this.#told = stillKnown(this.#told, databases);
    for (const message of planMessages(this.#told, databases)) {
      if (this.#settings.on.includes(message.event)) {
        if (!(await this.#send(message, now, signal))) return;
      }
      this.#told = afterMessage(this.#told, message);
    }
  }

  async #send(message: HealthMessage, now: number, signal: AbortSignal): Promise<boolean> {
    const { url } = this.#settings;
    const { logger } = this.#context;
    try {
      await send(url, this.#toRequest(message), signal);
      if (this.#failures > 0) logger.info(`notifications reach ${originOf(url)} again`);
      this.#failures = 0;
      this.#dueAt = now + PAUSE_MS;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const text = `a notification to ${originOf(url)} failed and will be retried: ${reasonOf(error)}`;
      logger[this.#failures === 0 ? 'warn' : 'debug'](text);
      this.#dueAt = now + Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** this.#failures);
      this.#failures += 1;
      return false;
    }
  }

  #toRequest(message: HealthMessage): Outgoing {
    const { template, headers } = this.#settings;
    const { event, databases } = message;
    const { text, listed, more } = describeMessage(message);
    const [host, time] = [os.hostname(), new Date().toISOString()];
    const values = this.#clean({
      ...{ event, text, host, time },
      count: String(databases.length),
      databases: listed.map(({ path }) => path).join(', '),
    });
    const { body, contentType } =
      template === undefined
        ? {
            body: this.#toJSON({ event, text, host, time, databases: listed, more }),
            contentType: 'application/json',
          }
        : renderTemplate(template, values);
    const filled = Object.entries(headers).map(([name, value]) => [
      name,
      toHeader(fillIn(value.reveal(), values)),
    ]);
    return {
      method: 'POST',
      headers: {
        'content-type': contentType,
        ...(Object.fromEntries(filled) as Record<string, string>),
      },
      body,
    };
  }

  /** Problems quote the errors of servers. */
  #clean(values: TemplateValues): TemplateValues {
    const { secrets } = this.#context;
    const cleaned = Object.entries(values).map(([name, value]) => [name, secrets.clean(value)]);
    return Object.fromEntries(cleaned) as TemplateValues;
  }

  #toJSON(value: object): string {
    const { secrets } = this.#context;
    return JSON.stringify(value, (_, inner: unknown) =>
      typeof inner === 'string' ? secrets.clean(inner) : inner,
    );
  }
}

/** Headers have one line, of Latin letters. */
function toHeader(value: string): string {
  return value
    .replaceAll(/[\r\n\0]+/g, ' ')
    .replaceAll(/[^\x20-\xff]/g, '?')
    .trim();
}
