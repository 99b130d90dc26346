/** The open replica of one destination. It is opened again after its client broke. */

import type { FencedReplica, FencingState } from '../../replica/fencing.ts';
import type { Destination } from '../../replica/destination.ts';
import { onAbortOfShared } from '../../store/abort.ts';
import { type OpenReplica, withFencing } from './sender.ts';

/** One replica of a destination, by its path. */
export function openReplica(destination: Destination, path: string): OpenReplica {
  const { capabilities, fencing, broken } = destination;
  const [client, unsettled] = [destination.replica(path), destination.unsettled(path)];
  return { client, unsettled, capabilities, fencing, broken };
}

export interface ConnectionContext {
  readonly open: (signal: AbortSignal) => Promise<OpenReplica>;
  /** An error escaped from the client. The next `open` reports it. */
  readonly onBroken: () => void;
}

export class Connection {
  readonly #context: ConnectionContext;
  #replica: FencedReplica | undefined;

  constructor(context: ConnectionContext) {
    this.#context = context;
  }

  /** undefined until it is open. */
  get replica(): FencedReplica | undefined {
    return this.#replica?.broken?.aborted === true ? undefined : this.#replica;
  }

  /** The state of its conditional writes; undefined until it is open. */
  get fencing(): FencingState | undefined {
    return this.replica?.fencing.stateFor(this.replica.capabilities);
  }

  /** Throws the error that broke the client; then the next call opens it again. */
  async open(signal: AbortSignal): Promise<FencedReplica> {
    const { broken } = this.#replica ?? {};
    if (broken?.aborted === true) {
      this.#replica = undefined;
      throw broken.reason;
    }
    if (this.#replica !== undefined) return this.#replica;
    const replica = withFencing(await this.#context.open(signal));
    if (replica.broken !== undefined) onAbortOfShared(replica.broken, this.#context.onBroken);
    this.#replica = replica;
    return replica;
  }

  /** A call failed with this error. If it broke the client, it has been reported. */
  failed(error: unknown): void {
    const { broken } = this.#replica ?? {};
    if (broken?.aborted === true && broken.reason === error) this.#replica = undefined;
  }
}
