/**
 * A bucket, as the replicator of one of several hosts sees it. Its requests are on their way by themselves: what a
 * process has sent arrives even if the process is stopped, killed, or has given the request up.
 */

import { unlessAborted } from '../../../packages/core/src/store/abort.ts';
import { bodyFromBytes } from '../../../packages/core/src/store/body.ts';
import type { ObjectInfo, ReplicaClient } from '../../../packages/core/src/store/client.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Bucket } from './bucket.ts';
import type { SimulatedProcess } from './process.ts';

export interface NetworkInput {
  readonly bucket: Bucket;
  readonly random: Random;
  readonly process: SimulatedProcess;
  /** Carries the requests. It never ends. */
  readonly network: SimulatedProcess;
  /** A write or a delete begins now. */
  readonly onBegin: (key: string, bytes: Uint8Array | undefined) => void;
}

/** Until the body is read. */
const CONNECT_MS_MAX = 150;

export function throughNetwork(input: NetworkInput): ReplicaClient {
  const { bucket, random, process, network, onBegin } = input;
  const direct = bucket.clientFor(process);
  const remote = bucket.clientFor(network);
  /** The answer: it comes when the process runs again, if it does. */
  const answerOf = async <T>(sent: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    sent.catch(() => undefined); // nobody may wait for it any more
    try {
      return await unlessAborted(sent, [signal]);
    } finally {
      await process.pause(1);
      await process.unlessDead();
    }
  };
  const copy = async (
    ...[from, to, options]: Parameters<NonNullable<ReplicaClient['copy']>>
  ): Promise<ObjectInfo> => {
    options?.signal?.throwIfAborted();
    onBegin(to, undefined);
    if (remote.copy === undefined) throw new Error('the simulated bucket can copy');
    return await answerOf(remote.copy(from, to), options?.signal);
  };
  return {
    name: direct.name,
    layout: direct.layout ?? 'tree',
    capabilities: direct.capabilities,
    list: (prefix, options) => direct.list(prefix, options),
    get: (key, options) => direct.get(key, options),
    async put(key, body, { condition, signal } = {}) {
      await process.enter(`send ${key}`);
      await process.pause(random.int(1, CONNECT_MS_MAX));
      signal?.throwIfAborted();
      const chunks: Uint8Array[] = [];
      for await (const chunk of body.open()) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      onBegin(key, bytes);
      const sent = remote.put(key, bodyFromBytes(bytes, body.createdAt), { condition });
      return await answerOf(sent, signal);
    },
    async delete(keys, options) {
      options?.signal?.throwIfAborted();
      for (const key of keys) onBegin(key, undefined);
      const { version } = options ?? {};
      await answerOf(
        remote.delete(keys, version === undefined ? {} : { version }),
        options?.signal,
      );
    },
    copy,
    close: () => direct.close(),
  };
}
