/** Buckets of Litestream 0.3 in memory. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compressFrameSync } from 'lz4-napi';
import { Encryption } from '../../src/encryption/age.ts';
import { Destination } from '../../src/replica/destination.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import type { Layout } from '../../src/store/client.ts';
import type { V03Source } from '../../src/v03/objects.ts';

const GOLDEN = fileURLToPath(new URL('../../../../test/fixtures/golden', import.meta.url));

export const G = '0123456789abcdef';

/** A state of a golden bucket. */
export interface Moment {
  readonly at: string;
  readonly file_sha256: string;
}

export function frame(bytes: Uint8Array): Buffer {
  return compressFrameSync(Buffer.from(bytes), { contentChecksum: true });
}

export function snapshotKey(index: number, generation: string = G): string {
  return `generations/${generation}/snapshots/${hex(index)}.snapshot.lz4`;
}

export function segmentKey(index: number, offset: number, generation: string = G): string {
  return `generations/${generation}/wal/${hex(index)}_${hex(offset)}.wal.lz4`;
}

function hex(number: number): string {
  return number.toString(16).padStart(8, '0');
}

export class OldBucket {
  readonly store: MemoryStore = new MemoryStore();
  /** Of age; undefined for a destination without encryption. */
  identities: readonly string[] | undefined;

  /** With all policies, as the CLI uses it. */
  source(layout: Layout = 'tree', root = ''): V03Source {
    const { identities } = this;
    const encryption =
      identities && new Encryption({ recipients: [], identities: async () => identities });
    const bare = memoryClient({ store: this.store, layout, chunkBytes: 1_000 });
    return { client: new Destination(bare, { encryption }).client, root };
  }

  copy(): OldBucket {
    const copy = new OldBucket();
    for (const [key, { bytes, modifiedAt }] of this.store.objects) {
      copy.put(key, bytes, modifiedAt.getTime());
    }
    return copy;
  }

  put(key: string, bytes: Uint8Array, atMs: number): void {
    this.store.put(key, bytes, { modifiedAt: new Date(atMs) });
  }

  get keys(): readonly string[] {
    return this.store.keys('');
  }

  bytes(key: string): Uint8Array {
    const stored = this.store.objects.get(key);
    if (stored === undefined) throw new Error(`no ${key}`);
    return stored.bytes;
  }

  /** Replaces the bytes of an object, and keeps its time. */
  change(key: string, change: (bytes: Buffer) => Uint8Array): void {
    const { modifiedAt } = this.store.objects.get(key) ?? { modifiedAt: new Date(0) };
    this.store.put(key, change(Buffer.from(this.bytes(key))), { modifiedAt });
  }
}

/**
 * A golden bucket below `root`, and its moments. Copies have no upload times. The first two objects are
 * the snapshot and the header of the WAL; each moment follows the upload of the next segment.
 */
export function goldenBucket(
  name: string,
  root = '',
): { readonly bucket: OldBucket; readonly moments: readonly Moment[] } {
  const folder = path.join(GOLDEN, name);
  const text = fs.readFileSync(path.join(folder, 'expected.json'), 'utf8');
  const { restores: moments } = JSON.parse(text) as { restores: Moment[] };
  const bucket = new OldBucket();
  const files = fs
    .readdirSync(path.join(folder, 'bucket'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.lz4'))
    .sort();
  const times = moments.map(({ at }) => Date.parse(at));
  const [first = 0] = times;
  const last = times.at(-1) ?? 0;
  for (const [place, file] of files.entries()) {
    const at = place < 2 ? first - 2_000 + place : (times[place - 2] ?? last + 1_000) - 1;
    const bytes = fs.readFileSync(path.join(folder, 'bucket', file));
    bucket.put(path.posix.join(root, file), bytes, at);
  }
  return { bucket, moments };
}
