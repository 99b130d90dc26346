/** Open destinations: one connection for each kind, place and credentials, whatever the number of databases. */

import { Destination, loggerFor, type OpenReplica } from '@sluice/core';
import { homeFolder, sameConfig, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';

interface Entry {
  readonly wanted: DestinationConfig;
  readonly opening: Promise<Destination>;
}

/** `await using` closes it. */
export class Destinations implements AsyncDisposable {
  readonly #logger: Logger;
  readonly #access: 'read' | 'write';
  readonly #entries: Entry[] = [];

  constructor(logger: Logger, access: 'read' | 'write') {
    this.#logger = loggerFor(logger); // databases share what is opened here
    this.#access = access;
  }

  /** Errors are those of `connect`. */
  async open(wanted: DestinationConfig, signal?: AbortSignal): Promise<OpenReplica> {
    const destination = await this.connect(wanted, signal);
    return {
      client: destination.replica(wanted.path),
      unsettled: destination.unsettled(wanted.path),
      capabilities: destination.capabilities,
      fencing: destination.fencing,
    };
  }

  /** Connects where that has not been done. A failed try is forgotten. */
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
    giveHome();
    const context = { logger: this.#logger, access: this.#access, signal };
    const client = await wanted.backend.connect(wanted.config, context);
    return new Destination(client, {
      access: this.#access,
      // What stays failed is said by whoever asked; the tries in between are for those who look.
      onRetry: ({ attempt, delayMs, error }) =>
        this.#logger.debug(`will be tried again: ${error.message}`, {
          code: error.code,
          attempt,
          waitMs: Math.round(delayMs),
        }),
    });
  }
}

/**
 * SDKs look for files of theirs in the home folder, and some fail where the user has none. As a
 * container runtime does, they are given the root folder.
 */
function giveHome(): void {
  if (homeFolder() === undefined) process.env['HOME'] = '/';
}
