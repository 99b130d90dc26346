/** The connection to one replica. It is made when it is needed, and again after an error escaped from its backend. */

import { Encryption } from '../../encryption/age.ts';
import { loggerFor } from '../../replicate/logging.ts';
import { openReplica } from '../../replicate/destination/connection.ts';
import type { OpenReplica } from '../../replicate/destination/sender.ts';
import { Destination } from '../../replica/destination.ts';
import type { Logger } from '../../store/backend.ts';
import type { ReplicaClient } from '../../store/client.ts';
import { Containment } from '../../store/policy/contained.ts';
import type { LoadedDestination } from './load-destinations.ts';

export class Connection {
  readonly #loaded: LoadedDestination;
  readonly #access: 'read' | 'write';
  readonly #logger: Logger;
  #opening: Promise<Destination> | undefined;

  constructor(loaded: LoadedDestination, access: 'read' | 'write', logger: Logger) {
    this.#loaded = loaded;
    this.#access = access;
    this.#logger = loggerFor(logger);
  }

  /** Errors of `connect` of the backend. */
  async open(signal?: AbortSignal): Promise<OpenReplica> {
    return openReplica(await this.#connect(signal), this.#loaded.path);
  }

  /** The client of the destination, below all replicas. */
  async client(signal?: AbortSignal): Promise<ReplicaClient> {
    return (await this.#connect(signal)).client;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await this.#end(opening);
  }

  async #end(opening: Promise<Destination> | undefined): Promise<void> {
    try {
      await (await opening)?.close();
    } catch (error) {
      this.#logger.debug(`close ${this.#loaded.target}: ${String(error)}`);
    }
  }

  async #connect(signal: AbortSignal | undefined): Promise<Destination> {
    const opening = (this.#opening ??= this.#begin(signal));
    try {
      return await opening;
    } catch (error) {
      if (this.#opening === opening) this.#opening = undefined; // the next caller tries again
      throw error;
    }
  }

  async #begin(signal: AbortSignal | undefined): Promise<Destination> {
    const { backend, config, target, settings } = this.#loaded;
    const { encryption, limits } = settings;
    const { credentials } = this.#loaded;
    const containment = new Containment(target);
    const context = { logger: this.#logger, access: this.#access, signal, credentials };
    const client = await containment.call(() => backend.connect(config, context));
    const destination = new Destination(client, {
      containment,
      limits,
      access: this.#access,
      encryption: encryption && toEncryption(encryption),
    });
    const replace = (): void => {
      this.#opening = undefined;
      void this.#end(Promise.resolve(destination)); // its calls fail with the escaped error
    };
    containment.broken.addEventListener('abort', replace, { once: true });
    return destination;
  }
}

function toEncryption({
  recipients,
  identities = [],
}: NonNullable<LoadedDestination['settings']['encryption']>): Encryption {
  return new Encryption({ recipients, identities: () => Promise.resolve(identities) });
}
