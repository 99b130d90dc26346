/** Open destinations: one connection for each kind, place and credentials, whatever the number of databases. */

import { wrapDestination, type OpenReplica, type WrappedDestination } from '@sluice/core';
import { sameConfig, type Logger } from '@sluice/core/backend';
import type { DestinationConfig } from './config/model.ts';

interface Entry {
  readonly destination: DestinationConfig;
  opening: Promise<WrappedDestination>;
}

export class Destinations {
  readonly #logger: Logger;
  readonly #access: 'read' | 'write';
  readonly #entries: Entry[] = [];

  constructor(logger: Logger, access: 'read' | 'write') {
    this.#logger = logger;
    this.#access = access;
  }

  /** Connects where that has not been done, and gives the replica. A failed try is forgotten. */
  async open(wanted: DestinationConfig, signal?: AbortSignal): Promise<OpenReplica> {
    let entry = this.#entries.find(
      ({ destination }) =>
        destination.backend === wanted.backend && sameConfig(destination.config, wanted.config),
    );
    if (entry === undefined) {
      entry = { destination: wanted, opening: this.#connect(wanted, signal) };
      this.#entries.push(entry);
    }
    try {
      const destination = await entry.opening;
      const { capabilities } = destination;
      return { client: destination.replica(wanted.path), capabilities };
    } catch (error) {
      const at = this.#entries.indexOf(entry);
      if (at >= 0) this.#entries.splice(at, 1);
      throw error;
    }
  }

  async close(): Promise<void> {
    const entries = this.#entries.splice(0);
    await Promise.allSettled(
      entries.map(async ({ opening }) => {
        await (await opening).close();
      }),
    );
  }

  async #connect(wanted: DestinationConfig, signal?: AbortSignal): Promise<WrappedDestination> {
    const context = { logger: this.#logger, access: this.#access, signal };
    return wrapDestination(await wanted.backend.connect(wanted.config, context));
  }
}
