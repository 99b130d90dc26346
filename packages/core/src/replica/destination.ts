/** One open destination: a backend's client wrapped in all policies, shared by all databases. */

import type { Capabilities, ReplicaClient } from '../store/client.ts';
import { withPolicies, type PolicyOptions } from '../store/policy/policies.ts';
import { Fencing } from './fencing.ts';
import { Replica } from './replica.ts';

/** Options of a `Destination`, with those of its retries. */
export interface DestinationOptions extends PolicyOptions {
  /** The access that the client was opened with. Default 'write'. */
  readonly access?: 'read' | 'write' | undefined;
}

/** Closed by `await using`. */
export class Destination implements AsyncDisposable {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly client: ReplicaClient;
  /** The known state of its conditional writes. */
  readonly fencing: Fencing = new Fencing();
  readonly #unsettled: ReplicaClient;
  readonly #access: 'read' | 'write';

  constructor(bare: ReplicaClient, { access = 'write', ...policies }: DestinationOptions = {}) {
    const { client, unsettled } = withPolicies(bare, policies);
    this.name = bare.name;
    this.capabilities = bare.capabilities;
    this.client = client;
    this.#unsettled = unsettled;
    this.#access = access;
  }

  /** Opens and sends nothing. */
  replica(root: string): Replica {
    return new Replica(this.client, root, { access: this.#access });
  }

  /** The same replica, but it reports every conflict, even with our own bytes. */
  unsettled(root: string): Replica {
    return new Replica(this.#unsettled, root, { access: this.#access });
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
