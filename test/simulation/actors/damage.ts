/** A copy of a bucket in which one thing is damaged. */

import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import { fileNameOf } from './truth.ts';

export interface DamagedCopy {
  readonly client: ReplicaClient;
  readonly what: string;
  /** Whether it certainly lacks the state `sent`. */
  readonly isBehind: boolean;
}

export function damagedCopy(
  core: Core,
  bucket: Bucket,
  sent: number | undefined,
  random: Random,
): DamagedCopy {
  const store = new core.MemoryStore();
  for (const [key, object] of bucket.store.objects) store.objects.set(key, object);
  const client = core.memoryClient({ name: bucket.name, store });
  const files = store.keys('').flatMap((key) => {
    const file = fileNameOf(key);
    return file === undefined ? [] : [{ key, ...file }];
  });
  const remove = (isGone: (file: (typeof files)[number]) => boolean): void => {
    for (const file of files) if (isGone(file)) store.objects.delete(file.key);
  };
  const how = random.pick(['emptied', 'behind', 'cut', 'flipped', 'gone'] as const);
  if (how === 'emptied' || files.length === 0) {
    remove(() => true);
    return { client, what: 'emptied', isBehind: sent !== undefined };
  }
  if (how === 'behind') {
    const last = random.int(0, sent ?? 0);
    remove(({ max }) => max >= last);
    return { client, what: `without TXID ${last} and later`, isBehind: sent !== undefined };
  }
  // Any file, or one that the newest state needs.
  const newest = files.filter(({ max }) => max === Math.max(...files.map((file) => file.max)));
  const { key } = random.pick(random.chance(0.5) ? newest : files);
  const object = store.objects.get(key);
  if (how === 'gone' || object === undefined) store.objects.delete(key);
  else {
    const at = random.int(0, object.bytes.length - 1);
    const bytes = Uint8Array.from(how === 'cut' ? object.bytes.subarray(0, at) : object.bytes);
    if (how === 'flipped') bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7));
    store.objects.set(key, { ...object, bytes });
  }
  return { client, what: `${key} is ${how}`, isBehind: false };
}
