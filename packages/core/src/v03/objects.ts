/** Reads the objects of a plan: LZ4 frames, decompressed. Errors name the object. */

import { isError, messageOf, ReplicationError } from '../error.ts';
import { ReadAhead, type FileAccess } from '../restore/read-ahead.ts';
import type { ReplicaClient } from '../store/client.ts';
import type { V03Segment, V03Snapshot } from './generations.ts';
import { describeV03 } from './layout.ts';
import { decodeLZ4Frame, LZ4_MAGIC, LZ4Error } from './lz4-frame.ts';

export type V03File = V03Snapshot | V03Segment;

/** The start of a file that was encrypted with age, which Litestream 0.3 could do. */
const AGE_START = 'age-encryption.org/';

/** A destination with a backup of Litestream 0.3. */
export interface V03Source {
  readonly client: ReplicaClient;
  readonly root: string;
}

export function v03Access({ client, root }: V03Source): FileAccess<V03File> {
  return {
    describe: describeV03,
    canReadRanges: () => client.capabilities.ranges === true,
    open: async ({ key }, options) => await client.get(key, { ...options, root }),
  };
}

/** The decompressed bytes; each chunk is valid until the next one. */
export async function* readV03(
  reads: ReadAhead<V03File>,
  file: V03File,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void> {
  try {
    yield* decodeLZ4Frame(checkedStart(reads.read(file), file, onBytes));
  } catch (error) {
    const isDamage = error instanceof LZ4Error || isError(error, 'LTX_INVALID'); // a damaged age file
    if (!isDamage) throw error;
    throw new V03DamageError(file, error);
  }
}

/** The object's bytes are damaged. */
export class V03DamageError extends ReplicationError {
  readonly file: V03File;
  readonly reason: string;

  constructor(file: V03File, cause: unknown) {
    super(
      'RESTORE_DAMAGED',
      `read ${describeV03(file)} of Litestream 0.3: it is damaged: ${messageOf(cause)}`,
      { cause },
    );
    this.file = file;
    this.reason = messageOf(cause);
  }
}

/** Reads the first bytes of a file. REPLICA_NO_IDENTITY or RESTORE_DAMAGED if it cannot be decoded. */
export async function checkStart(
  { client, root }: V03Source,
  file: V03File,
  signal: AbortSignal | undefined,
): Promise<void> {
  const range = { start: 0, end: Math.min(AGE_START.length, file.sizeBytes) };
  if (range.end === 0) throw new V03DamageError(file, new LZ4Error('it is empty'));
  const chunks: Uint8Array[] = [];
  try {
    const { body } = await client.get(file.key, { range, signal, root });
    for await (const chunk of body) chunks.push(chunk);
  } catch (error) {
    throw isError(error, 'LTX_INVALID') ? new V03DamageError(file, error) : error; // a damaged age file
  }
  requireLZ4(Buffer.concat(chunks), file);
}

/** Offsets in the header of a database, big-endian. */
const PAGE_SIZE_OFFSET = 16;
const PAGE_COUNT_OFFSET = 28;
const SIZES_END = 32;

/** The size of the database in a snapshot, by its header. Reads only the first block. */
export async function databaseBytesIn(
  { client, root }: V03Source,
  snapshot: V03Snapshot,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { body } = await client.get(snapshot.key, { signal, root });
  try {
    for await (const bytes of decodeLZ4Frame(checkedStart(body, snapshot, () => undefined))) {
      if (bytes.length < SIZES_END) return bytes.length;
      const header = Buffer.from(bytes.buffer, bytes.byteOffset, SIZES_END);
      const pageSize = header.readUInt16BE(PAGE_SIZE_OFFSET);
      return (pageSize === 1 ? 65_536 : pageSize) * header.readUInt32BE(PAGE_COUNT_OFFSET);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof LZ4Error)) throw error;
    throw new V03DamageError(snapshot, error);
  }
}

async function* checkedStart(
  chunks: AsyncIterable<Uint8Array>,
  file: V03File,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array, void> {
  let start = Buffer.alloc(0);
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    if (start.length < AGE_START.length) {
      start = Buffer.concat([start, chunk.subarray(0, AGE_START.length)]);
      requireLZ4(start, file);
    }
    yield chunk;
  }
}

/** Refuses what can never become an LZ4 frame; the decoder checks the rest. */
function requireLZ4(start: Buffer, file: V03File): void {
  if (start.length >= AGE_START.length && start.toString('latin1').startsWith(AGE_START)) {
    throw encrypted(file);
  }
  if (start.length < 4 || start.readUInt32LE() === LZ4_MAGIC) return;
  if (AGE_START.startsWith(start.toString('latin1'))) return; // not all of its start has arrived
  throw new V03DamageError(file, new LZ4Error('it is neither an LZ4 frame nor encrypted with age'));
}

function encrypted(file: V03File): ReplicationError {
  return new ReplicationError(
    'REPLICA_NO_IDENTITY',
    `read ${describeV03(file)} of Litestream 0.3: no identity: it is encrypted with age; set SLUICE_AGE_IDENTITY, ` +
      'or use the age identities of its configuration (age.identities)',
  );
}

/** Adds the file's name to an error about the bytes of a WAL. */
export function toDamageError(file: V03File, error: unknown): unknown {
  const isAboutBytes = isError(error, 'WAL_INVALID') || isError(error, 'WAL_UNSUPPORTED');
  return isAboutBytes ? new V03DamageError(file, error) : error;
}
