/** Open destinations: databases with the same backend and configuration share one connection. */

import { Destination, loggerFor, type OpenReplica } from '@sluice/core';
import { homeFolder, sameConfig } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';

interface Entry {
  readonly wanted: DestinationConfig;
  readonly opening: Promise<Destination>;
}

/** `await using` closes all connections. */
export class Destinations implements AsyncDisposable {
  readonly #logger: Logger;
  readonly #access: 'read' | 'write';
  readonly #entries: Entry[] = [];

  constructor(logger: Logger, access: 'read' | 'write') {
    this.#logger = loggerFor(logger); // databases share these connections
    this.#access = access;
  }

  /** Opens the replica. Errors of `connect`. */
  async open(wanted: DestinationConfig, signal?: AbortSignal): Promise<OpenReplica> {
    const destination = await this.connect(wanted, signal);
    return {
      client: destination.replica(wanted.path),
      unsettled: destination.unsettled(wanted.path),
      capabilities: destination.capabilities,
      fencing: destination.fencing,
    };
  }

  /** Connects unless a connection exists. A failed attempt is not cached. */
  async connect(wanted: DestinationConfig, signal?: AbortSignal): Promise<Destination> {
    const entry = this.#find(wanted) ?? this.#add(wanted, signal);
    try {
      return await entry.opening;
    } catch (error) {
      const index = this.#entries.indexOf(entry);
      if (index >= 0) this.#entries.splice(index, 1);
      throw error;
    }
  }

  async close(): Promise<void> {
    const closing = this.#entries.splice(0).map(async ({ opening }) => {
      await (await opening).close();
    });
    for (const result of await Promise.allSettled(closing)) {
      if (result.status === 'rejected') this.#logger.debug(`close: ${String(result.reason)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #find(wanted: DestinationConfig): Entry | undefined {
    return this.#entries.find(
      ({ wanted: { backend, config } }) =>
        backend === wanted.backend && sameConfig(config, wanted.config),
    );
  }

  #add(wanted: DestinationConfig, signal: AbortSignal | undefined): Entry {
    const entry = { wanted, opening: this.#connect(wanted, signal) };
    this.#entries.push(entry);
    return entry;
  }

  async #connect(wanted: DestinationConfig, signal?: AbortSignal): Promise<Destination> {
    setHomeFallback();
    const context = { logger: this.#logger, access: this.#access, signal };
    const client = await wanted.backend.connect(wanted.config, context);
    return new Destination(client, {
      access: this.#access,
      // The caller reports the final failure.
      onRetry: ({ attempt, delayMs, error }) =>
        this.#logger.debug(`will be retried: ${error.message}`, {
          code: error.code,
          attempt,
          waitMs: Math.round(delayMs),
        }),
    });
  }
}

/**
 * Some SDKs look for files in the home folder and fail if the user has none. Like a container
 * runtime, we set it to the root folder then.
 */
function setHomeFallback(): void {
  if (homeFolder() === undefined) process.env['HOME'] = '/';
}
