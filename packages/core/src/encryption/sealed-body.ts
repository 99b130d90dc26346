/**
 * The encrypted bytes of one file. age draws new keys each time, so the bytes are kept until the file is
 * written: a retry, or the parts of one upload, must come from the same ciphertext. Small ones are kept in
 * memory, others in a temporary file.
 */

import type { FileSystem } from '../file-system.ts';
import { untilAborted } from '../store/abort.ts';
import type { ObjectBody } from '../store/client.ts';
import { WatchedBody } from '../store/policy/watched-body.ts';
import type { Encryption } from './age.ts';

/** Larger files are kept in a temporary file. */
export const SEALED_MEMORY_BYTES_MAX: number = 1024 * 1024;
const CHUNK_BYTES: number = 1024 * 1024;
/** The last bytes identify a sealed file: they are half of the tag of its last chunk. */
export const END_BYTES = 8;

/** Where to keep a large ciphertext: a file that only its owner can read. */
export interface SealPlace {
  readonly files: FileSystem;
  readonly file: string;
}

/** A body that is already encrypted. Discard it after use. */
export class SealedBody implements ObjectBody {
  readonly sizeBytes: number;
  readonly createdAt?: Date | undefined;
  /** The last bytes of the ciphertext, as 16 hex digits. */
  readonly end: string;
  readonly #kept: readonly Uint8Array[] | SealPlace;
  readonly #onBytes: (() => void) | undefined;

  constructor(
    kept: readonly Uint8Array[] | SealPlace,
    of: { readonly sizeBytes: number; readonly end: string; readonly createdAt?: Date | undefined },
    onBytes?: () => void,
  ) {
    this.#kept = kept;
    this.#onBytes = onBytes;
    this.sizeBytes = of.sizeBytes;
    this.createdAt = of.createdAt;
    this.end = of.end;
  }

  async *open(): AsyncIterable<Uint8Array> {
    const chunks = 'file' in this.#kept ? readKept(this.#kept) : this.#kept;
    for await (const chunk of chunks) {
      this.#onBytes?.();
      yield chunk;
    }
  }

  /** The same body, which calls `onBytes` as it is read. */
  counted(onBytes: () => void): SealedBody {
    return new SealedBody(this.#kept, this, onBytes);
  }

  /** Whether the ciphertext still exists: another run of the database may have removed temporary files. */
  async isThere(): Promise<boolean> {
    if (!('file' in this.#kept)) return true;
    const { files, file } = this.#kept;
    return (await files.stat(file))?.sizeBytes === this.sizeBytes;
  }

  async discard(): Promise<void> {
    if ('file' in this.#kept) await this.#kept.files.remove(this.#kept.file);
  }
}

/** Encrypts all of `body`. Rejects with the reason of an aborted signal. LTX_TRUNCATED or LTX_INVALID if it has another size than it says. */
export async function seal(
  encryption: Encryption,
  body: ObjectBody,
  place: SealPlace,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<SealedBody> {
  const { sizeBytes, createdAt } = body;
  const abortable = { sizeBytes, createdAt, open: () => untilAborted(body.open(), ...signals) };
  const plain = new WatchedBody(abortable, 'encrypt a file');
  try {
    const encrypted = await encryption.encrypt(plain.open());
    const kept = sizeBytes > SEALED_MEMORY_BYTES_MAX ? place : [];
    const { count, end } = await keep(encrypted, kept);
    return new SealedBody(kept, { sizeBytes: count, end: end.toString('hex'), createdAt });
  } catch (error) {
    await place.files.remove(place.file);
    throw plain.failure === undefined ? error : plain.failure.error;
  }
}

async function keep(
  chunks: AsyncIterable<Uint8Array>,
  to: Uint8Array[] | SealPlace,
): Promise<{ count: number; end: Buffer }> {
  let count = 0;
  let end: Buffer = Buffer.alloc(0);
  const file = 'file' in to ? await to.files.create(to.file, 'private') : undefined;
  try {
    for await (const chunk of chunks) {
      if ('file' in to) await file?.append(chunk);
      else to.push(chunk);
      count += chunk.length;
      end = Buffer.concat([end, chunk.subarray(-END_BYTES)]).subarray(-END_BYTES);
    }
  } finally {
    await file?.close();
  }
  return { count, end };
}

async function* readKept({ files, file }: SealPlace): AsyncIterable<Uint8Array> {
  const handle = await files.open(file);
  try {
    for (let at = 0; ;) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const count = await handle.readFully(chunk, at);
      if (count > 0) yield chunk.subarray(0, count);
      if (count < CHUNK_BYTES) return;
      at += count;
    }
  } finally {
    await handle.close();
  }
}
