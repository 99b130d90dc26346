/** Lists the backups of Litestream 0.3 below a root, over any client. */

import { isError } from '../error.ts';
import type { CallOptions, ObjectInfo, ReplicaClient } from '../store/client.ts';
import { comparePositions, generationOfKey, generationsPrefix, parseV03Key } from './layout.ts';

/** A listed object of a generation. */
interface V03Object {
  readonly key: string;
  readonly generation: string;
  readonly index: number;
  readonly sizeBytes: number;
  /** Time of the upload; in a folder the mtime of the file, as in Litestream. */
  readonly modifiedAt: Date;
}

export interface V03Snapshot extends V03Object {
  readonly kind: 'snapshot';
}

export interface V03Segment extends V03Object {
  readonly kind: 'segment';
  readonly offset: number;
}

/** One uninterrupted history. */
export interface Generation {
  readonly id: string;
  /** By index. */
  readonly snapshots: readonly V03Snapshot[];
  /** By index and offset. */
  readonly segments: readonly V03Segment[];
  /** Keys in its folder that Litestream 0.3 does not use. */
  readonly unknown: readonly string[];
  /** Times of the first and last upload: of unknown objects only if there is nothing else. */
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Whether a generation has a snapshot or a part of a WAL. */
export function hasBackup({ snapshots, segments }: Generation): boolean {
  return snapshots.length > 0 || segments.length > 0;
}

interface Found {
  readonly snapshots: V03Snapshot[];
  readonly segments: V03Segment[];
  readonly unknown: ObjectInfo[];
}

/** All generations, the latest upload last. Empty if the destination has no backup of Litestream 0.3. */
export async function listGenerations(
  client: ReplicaClient,
  root: string,
  { signal }: Pick<CallOptions, 'signal'> = {},
): Promise<Generation[]> {
  const found = new Map<string, Found>();
  for await (const object of listUnlessNew(client, root, signal)) addTo(found, root, object);
  return [...found]
    .map(([id, each]) => toGeneration(id, each))
    .sort((a, b) => a.updatedAt.getTime() - b.updatedAt.getTime());
}

/** A folder that never existed is empty. */
async function* listUnlessNew(
  client: ReplicaClient,
  root: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo, void> {
  try {
    yield* client.list(generationsPrefix(root), { signal, root });
  } catch (error) {
    if (!isError(error, 'REPLICA_DESTINATION_NOT_FOUND') || error.isNew !== true) throw error;
  }
}

function addTo(found: Map<string, Found>, root: string, object: ObjectInfo): void {
  const { key, sizeBytes, createdAt } = object;
  const modifiedAt = createdAt ?? object.modifiedAt;
  const id = generationOfKey(root, key);
  if (id === undefined) return;
  const each = found.get(id) ?? { snapshots: [], segments: [], unknown: [] };
  found.set(id, each);
  const name = parseV03Key(root, key);
  if (name === undefined) each.unknown.push(object);
  else if (name.kind === 'snapshot') each.snapshots.push({ ...name, key, sizeBytes, modifiedAt });
  else each.segments.push({ ...name, key, sizeBytes, modifiedAt });
}

function toGeneration(id: string, { snapshots, segments, unknown }: Found): Generation {
  const known = [...snapshots, ...segments];
  const times = (known.length > 0 ? known : unknown).map(({ modifiedAt }) => modifiedAt.getTime());
  return {
    id,
    snapshots: snapshots.sort((a, b) => a.index - b.index),
    segments: segments.sort(comparePositions),
    unknown: unknown.map(({ key }) => key),
    createdAt: new Date(times.reduce((a, b) => Math.min(a, b))),
    updatedAt: new Date(times.reduce((a, b) => Math.max(a, b))),
  };
}
