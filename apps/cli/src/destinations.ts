/** Open destinations: databases with the same backend and configuration share one connection. */

import { Containment, Destination, loggerFor, openReplica, type OpenReplica } from '@sluice/core';
import { homeFolder, sameConfig } from '@sluice/core/config';
import type { Logger } from '@sluice/core/backend';
import { CallCounter, Calls } from './counted-client.ts';
import { toEncryption } from './encryption.ts';
import type { DestinationConfig } from './config/model.ts';
import { cleanError } from './secrets.ts';

interface Entry {
  readonly wanted: DestinationConfig;
  readonly opening: Promise<Destination>;
  readonly counter: CallCounter;
}

/** `await using` closes all connections. */
export class Destinations implements AsyncDisposable {
  readonly #logger: Logger;
  readonly #access: 'read' | 'write';
  readonly #readBytesPerSecond: number | undefined;
  readonly #entries: Entry[] = [];
  /** By `place`. They outlive a broken connection. */
  readonly #calls = new Map<string, Calls>();

  /** `readBytesPerSecond` limits the reads of each connection. */
  constructor(logger: Logger, access: 'read' | 'write', readBytesPerSecond?: number) {
    this.#logger = loggerFor(logger); // databases share these connections
    this.#access = access;
    this.#readBytesPerSecond = readBytesPerSecond;
  }

  /** Opens the replica. Errors of `connect`. */
  async open(wanted: DestinationConfig, signal?: AbortSignal): Promise<OpenReplica> {
    const destination = await this.connect(wanted, signal);
    this.#find(wanted)?.counter.count(wanted.path, this.callsOf(wanted));
    return openReplica(destination, wanted.path);
  }

  /** The calls of the backend for this replica. */
  callsOf({ place }: Pick<DestinationConfig, 'place'>): Calls {
    const calls = this.#calls.get(place) ?? new Calls();
    this.#calls.set(place, calls);
    return calls;
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

  /** Closes the connections that none of these uses. */
  async retain(used: readonly DestinationConfig[]): Promise<void> {
    const kept = new Set(used.map((wanted) => this.#find(wanted)));
    const unused = this.#entries.filter((entry) => !kept.has(entry));
    for (const entry of unused) this.#entries.splice(this.#entries.indexOf(entry), 1);
    await closeAll(unused, this.#logger);
  }

  async close(): Promise<void> {
    await closeAll(this.#entries.splice(0), this.#logger);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #find(wanted: DestinationConfig): Entry | undefined {
    return this.#entries.find(
      ({ wanted: { backend, config, encryption, limits } }) =>
        backend === wanted.backend &&
        sameConfig(limits, wanted.limits) &&
        sameConfig(config, wanted.config) &&
        sameConfig(encryption, wanted.encryption),
    );
  }

  #add(wanted: DestinationConfig, signal: AbortSignal | undefined): Entry {
    const containment = new Containment(wanted.target);
    const { secrets } = wanted;
    const counter = new CallCounter((error) => secrets && cleanError(error, secrets));
    const opening = this.#connect(wanted, { containment, counter }, signal);
    const entry = { wanted, opening, counter };
    this.#entries.push(entry);
    const replace = (): void => this.#replace(entry);
    containment.broken.addEventListener('abort', replace, { once: true });
    return entry;
  }

  /** Closes a broken connection. The next caller connects again. */
  #replace(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index >= 0) this.#entries.splice(index, 1);
    void closeAll([entry], this.#logger); // its calls fail with the escaped error
  }

  async #connect(
    wanted: DestinationConfig,
    { containment, counter }: { containment: Containment; counter: CallCounter },
    signal: AbortSignal | undefined,
  ): Promise<Destination> {
    setHomeFallback();
    const context = { logger: this.#logger, access: this.#access, signal };
    const connecting = containment.call(() => wanted.backend.connect(wanted.config, context));
    const client = await connecting.catch((error: unknown) => {
      if (wanted.secrets !== undefined) cleanError(error, wanted.secrets);
      throw error;
    });
    return new Destination(counter.counted(client), {
      containment,
      limits: wanted.limits,
      access: this.#access,
      readBytesPerSecond: this.#readBytesPerSecond,
      encryption: toEncryption(wanted.encryption),
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

async function closeAll(entries: readonly Entry[], logger: Logger): Promise<void> {
  const closing = entries.map(async ({ opening }) => {
    await (await opening).close();
  });
  for (const result of await Promise.allSettled(closing)) {
    if (result.status === 'rejected') logger.debug(`close: ${String(result.reason)}`);
  }
}

/**
 * Some SDKs look for files in the home folder and fail if the user has none. Like a container
 * runtime, we set it to the root folder then.
 */
function setHomeFallback(): void {
  if (homeFolder() === undefined) process.env['HOME'] = '/';
}
