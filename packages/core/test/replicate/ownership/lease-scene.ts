/** Replicators that share the lease of one destination, for tests. */

import { expect, vi } from 'vitest';
import type { ErrorCode } from '../../../src/error.ts';
import { OWNER_NAME, parseOwner, type Owner } from '../../../src/replicate/ownership/owner.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { refusal, Scene, Staged, type SceneOptions, type SceneOwner } from '../scene.ts';

export const TTL_MS = 30_000;
export const OWNER_KEY = `db/${OWNER_NAME}`;
export const END = new Error('the end of the run');
/** A replicator that waits reads the owner once a second, in real time. */
const WAIT_MS_MAX = 20_000;

export function ownerOf(store: MemoryStore): Owner | undefined {
  const stored = store.objects.get(OWNER_KEY);
  const owner = stored && parseOwner(Buffer.from(stored.bytes).toString());
  return typeof owner === 'object' ? owner : undefined;
}

export function filesIn(store: MemoryStore): string[] {
  return [...store.objects.keys()].filter((key) => key !== OWNER_KEY);
}

type Given = Omit<SceneOptions, 'owner'> & { readonly owner?: Partial<SceneOwner> };

/** A replicator with a lease, and a database with one image. */
export function replicator(
  host: string,
  { owner, staged = new Staged(), ...options }: Given = {},
): Scene {
  if (staged.head === 0n) staged.image();
  const own = { host, lease: { ttlMs: TTL_MS }, ...owner };
  return new Scene({ ...options, staged, owner: own }).start();
}

/** The first replicator, which has sent its image and one commit. */
export async function holder(options: Given = {}): Promise<Scene> {
  const scene = replicator('first', options);
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  return scene;
}

/** Another database, whose TXIDs begin higher. */
export function waiter(store: MemoryStore, options: Given = {}): Scene {
  const staged = new Staged(0x900n);
  staged.image(20n);
  return replicator('second', { ...options, store, staged });
}

export function hasFailed({ uploader }: Scene, code: ErrorCode): boolean {
  return uploader.state === 'failing' && uploader.health.lastError?.code === code;
}

export function isRefused(scene: Scene): boolean {
  return hasFailed(scene, 'REPLICA_IN_USE');
}

/** A server that counts the reads of its owner object. */
export function counting(): {
  readonly objects: NonNullable<SceneOptions['objects']>;
  /** Resolves when a read that began after this call was looked at. */
  readonly asked: () => Promise<void>;
} {
  let reads = 0;
  const objects: SceneOptions['objects'] = (server) => ({
    get: async (...given) => {
      reads += 1;
      return await server.get(...given);
    },
  });
  const asked = async (): Promise<void> => {
    const before = reads;
    // The next read comes after the last one was looked at.
    await vi.waitFor(() => expect(reads).toBeGreaterThanOrEqual(before + 2), WAIT_MS_MAX);
  };
  return { objects, asked };
}

/** A server whose owner object can be made unreachable. */
export function unreachable(): {
  isDown: boolean;
  readonly objects: NonNullable<SceneOptions['objects']>;
} {
  const down = { isDown: false };
  const fail = async (): Promise<never> => await Promise.reject(refusal('REPLICA_UNAVAILABLE'));
  return Object.assign(down, {
    objects: ((server) => ({
      get: async (...given) => await (down.isDown ? fail() : server.get(...given)),
      put: async (...given) => await (down.isDown ? fail() : server.put(...given)),
    })) satisfies SceneOptions['objects'],
  });
}
