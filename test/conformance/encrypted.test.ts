/**
 * A destination whose files are encrypted keeps the promises of the contract, except for sizes: it reports those of
 * the stored files. The adapter here reports those of the files, so that all cases can run.
 */

import { Destination, Encryption } from '@sluice/core';
import type { ObjectInfo, ReplicaClient } from '@sluice/core/backend';
import { memoryClient, MemoryStore } from '@sluice/core/backend/testing';
import { memorySetup } from './memory-setup.ts';
import { describeConformance, type Setup } from './suite.ts';

const RECIPIENT = 'age10xcxhj72wqsd040c47dyptd7kttutgyps8v35k3drfeenafv9uksvs2p3z';
const IDENTITY = 'AGE-SECRET-KEY-1HAKRYKZZ5YQ26KDCK52UNVUF43RM5C72SWD05M5JUK3QSQTQHV9SQ8KVG2';
const { ranges: _, ...capabilities } = memoryClient().capabilities;

describeConformance({
  name: 'memory, encrypted',
  layout: 'tree',
  capabilities,
  hooks: ['raw', 'vanish'],
  partSizeBytes: 100_000,
  secrets: [IDENTITY],
  open: async () => openEncrypted(),
});

function openEncrypted(): Setup {
  return memorySetup((store) => {
    const encryption = new Encryption({
      recipients: [RECIPIENT],
      identities: async () => [IDENTITY],
    });
    return withPlainSizes(new Destination(memoryClient({ store }), { encryption }).client, store);
  });
}

/** One X25519 recipient, and the nonce. */
const HEADER_BYTES = 184;
const CHUNK_BYTES = 65_536;
const TAG_BYTES = 16;

function withPlainSizes(client: ReplicaClient, store: MemoryStore): ReplicaClient {
  const sizeOf = (info: ObjectInfo): ObjectInfo => {
    const bytes = store.objects.get(info.key)?.bytes ?? new Uint8Array(0);
    const isAge = Buffer.from(bytes.subarray(0, 18)).toString() === 'age-encryption.org';
    return isAge ? { ...info, sizeBytes: plainSize(info.sizeBytes) } : info;
  };
  const copy = client.copy?.bind(client);
  if (copy === undefined) throw new TypeError('the memory client copies');
  return {
    name: client.name,
    layout: client.layout,
    capabilities: client.capabilities,
    get: (key, options) => client.get(key, options),
    delete: (keys, options) => client.delete(keys, options),
    close: () => client.close(),
    async *list(prefix, options) {
      for await (const info of client.list(prefix, options)) yield sizeOf(info);
    },
    put: async (key, body, options) => ({
      ...(await client.put(key, body, options)),
      sizeBytes: body.sizeBytes,
    }),
    copy: async (from, to, options) => sizeOf(await copy(from, to, options)),
  };
}

function plainSize(storedBytes: number): number {
  const payload = storedBytes - HEADER_BYTES;
  return payload - Math.ceil(payload / (CHUNK_BYTES + TAG_BYTES)) * TAG_BYTES;
}
