/**
 * Copies the files of a destination to another one, decrypted: every LTX file at all levels, under its name. A file that
 * is already there with its size and its header is left as it is, so an interrupted copy continues where it stopped.
 */

import { isDeepStrictEqual } from 'node:util';
import { isError, ReplicationError } from '../error.ts';
import type { LTXFileInfo, Replica } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';
import { readFile } from './read-file.ts';

/** If files are deleted while they are copied, the source is listed again, up to this often. */
const LISTINGS_MAX = 5;

export interface DecryptOptions {
  readonly from: Replica;
  readonly to: Replica;
  /** Called after each file, with the sizes of the stored files. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Result of `decryptReplica`. */
export interface DecryptReport {
  /** Files that were written. */
  readonly written: number;
  /** Files that were there before. */
  readonly kept: number;
  /** Size of all files, decrypted. */
  readonly sizeBytes: number;
}

/**
 * RESTORE_NO_SNAPSHOT if there are no files. REPLICA_CONFLICT, before anything is written, if the target has files
 * with other names; and for a file with another size or header.
 */
export async function decryptReplica(options: DecryptOptions): Promise<DecryptReport> {
  const { from, to, onProgress, signal } = options;
  const files = await listSource(from, signal);
  const there = await listTarget(to, signal);
  const names = new Set(files.map(describeFile));
  const foreign = [...there.keys()].find((name) => !names.has(name));
  if (foreign !== undefined) {
    throw conflict(to, `it has ${foreign}, which is not at ${from.name}`);
  }
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let [written, kept, sizeBytes, doneBytes] = [0, 0, 0, 0];
  const copied = new Set<string>();
  let rest = files;
  for (let listings = 1; rest.length > 0; listings++) {
    let isMissing = false;
    for (const file of rest) {
      const name = describeFile(file);
      const before = there.get(name);
      try {
        sizeBytes += await copyOne(file, before, options);
      } catch (error) {
        if (!isError(error, 'REPLICA_NOT_FOUND') || listings >= LISTINGS_MAX) throw error;
        isMissing = true;
        continue;
      }
      copied.add(name);
      if (before === undefined) written += 1;
      else kept += 1;
      doneBytes += file.sizeBytes;
      onProgress?.(Math.min(doneBytes, totalBytes), totalBytes);
    }
    if (!isMissing) break;
    // A replicator has merged or deleted files meanwhile.
    rest = (await listSource(from, signal)).filter((file) => !copied.has(describeFile(file)));
  }
  return { written, kept, sizeBytes };
}

async function listSource(from: Replica, signal: AbortSignal | undefined): Promise<LTXFileInfo[]> {
  const files = await Array.fromAsync(from.listFiles('all', { signal }));
  if (files.length > 0) return files;
  throw new ReplicationError(
    'RESTORE_NO_SNAPSHOT',
    `decrypt ${from.name}: there are no LTX files; check its path`,
  );
}

async function copyOne(
  file: LTXFileInfo,
  before: LTXFileInfo | undefined,
  { from, to, signal }: DecryptOptions,
): Promise<number> {
  const { header, sizeBytes, body } = await readFile(from, file, signal);
  await body.return?.();
  if (before !== undefined) {
    if (before.sizeBytes !== sizeBytes) {
      const sizes = `${before.sizeBytes} bytes, and not ${sizeBytes}`;
      throw conflict(to, `${describeFile(file)} has ${sizes}`);
    }
    const found = await readFile(to, before, signal);
    await found.body.return?.();
    if (isDeepStrictEqual(found.header, header)) return sizeBytes;
    throw conflict(to, `${describeFile(file)} is of another database or history`);
  }
  const createdAt = new Date(header.timestampMs);
  await to.writeFile(
    file,
    {
      sizeBytes,
      createdAt,
      // Decrypted again for each attempt: the file may be large.
      async *open() {
        yield* (await readFile(from, file, signal)).body;
      },
    },
    { signal },
  );
  return sizeBytes;
}

async function listTarget(
  to: Replica,
  signal: AbortSignal | undefined,
): Promise<Map<string, LTXFileInfo>> {
  const there = new Map<string, LTXFileInfo>();
  for await (const file of to.listFiles('all', { signal })) there.set(describeFile(file), file);
  return there;
}

function conflict(to: Replica, why: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_CONFLICT',
    `decrypt to ${to.name}: ${why}; use an empty path`,
  );
}
