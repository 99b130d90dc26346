/** An encrypted copy of a bucket in memory. */

import { Encryption } from '../../src/encryption/age.ts';
import { EncryptedClient } from '../../src/encryption/encrypted-client.ts';
import { Replica } from '../../src/replica/replica.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import type { Bucket } from '../restore/bucket.ts';
import { encryptFor, type KeyPair } from './keys.ts';

export class EncryptedMirror {
  readonly store: MemoryStore = new MemoryStore();
  readonly #bucket: Bucket;
  readonly #keys: KeyPair;

  constructor(bucket: Bucket, keys: KeyPair) {
    this.#bucket = bucket;
    this.#keys = keys;
  }

  /** Encrypts what is new in the bucket. */
  async update(): Promise<void> {
    for (const [key, { bytes, modifiedAt }] of this.#bucket.store.objects) {
      if (this.store.objects.has(key)) continue;
      this.store.put(key, await encryptFor(this.#keys.recipient, bytes), { modifiedAt });
    }
  }

  /** With the identity. `change` changes the client of the encrypted objects. */
  reader(change: (stored: ReplicaClient) => ReplicaClient = (stored) => stored): Replica {
    const stored = change(memoryClient({ store: this.store }));
    return new Replica(new EncryptedClient(stored, new Encryption(this.#keys.reader)), '');
  }
}
