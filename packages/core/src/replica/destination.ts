/** One open destination: a backend's client wrapped in all policies, shared by all databases. */

import type { Encryption } from '../encryption/age.ts';
import { EncryptedClient } from '../encryption/encrypted-client.ts';
import type { Capabilities, ReplicaClient } from '../store/client.ts';
import { rateLimiter, type RateLimits } from '../store/policy/limit-rate.ts';
import { limitReads } from '../store/policy/limit-reads.ts';
import { contained, type Containment } from '../store/policy/contained.ts';
import { withPolicies, type PolicyOptions } from '../store/policy/policies.ts';
import { Fencing } from './fencing.ts';
import { Replica } from './replica.ts';

/** Options of a `Destination`, with those of its retries. */
export interface DestinationOptions extends PolicyOptions {
  /** The access that the client was opened with. Default 'write'. */
  readonly access?: 'read' | 'write' | undefined;
  /** Maximum bytes per second of all reads together. Default: no limit. */
  readonly readBytesPerSecond?: number | undefined;
  /** Limits what is sent. Default: no limit. */
  readonly limits?: RateLimits | undefined;
  /** Encrypts and decrypts the LTX files. */
  readonly encryption?: Encryption | undefined;
  /** Attributes errors that escape from the client. The client was connected in it. */
  readonly containment?: Containment | undefined;
}

/** Closed by `await using`. */
export class Destination implements AsyncDisposable {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly client: ReplicaClient;
  /** The known state of its conditional writes. */
  readonly fencing: Fencing = new Fencing();
  /** Aborted when an error escapes from the client. All its calls fail from then on. */
  readonly broken: AbortSignal | undefined;
  readonly #unsettled: ReplicaClient;
  readonly #access: 'read' | 'write';

  constructor(bare: ReplicaClient, options: DestinationOptions = {}) {
    const {
      access = 'write',
      encryption,
      readBytesPerSecond,
      limits,
      containment,
      ...policies
    } = options;
    const stored = containment === undefined ? bare : contained(bare, containment);
    const { client, unsettled } = withPolicies(stored, {
      ...policies,
      broken: containment?.broken,
    });
    const limitSent = limits && rateLimiter(limits, policies.clock);
    const wrap = (plain: ReplicaClient): ReplicaClient => {
      const sent = limitSent?.(plain) ?? plain;
      return encryption === undefined ? sent : new EncryptedClient(sent, encryption);
    };
    this.name = bare.name;
    const limited =
      readBytesPerSecond === undefined
        ? client
        : limitReads(client, readBytesPerSecond, policies.clock);
    this.client = wrap(limited);
    this.capabilities = this.client.capabilities;
    this.#unsettled = wrap(unsettled);
    this.#access = access;
    this.broken = containment?.broken;
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
