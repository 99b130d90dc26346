/**
 * Encrypts the LTX files of a destination for its present recipients: each file is decrypted, encrypted again, and
 * replaced under its name. Files that were not encrypted are encrypted.
 *
 * Each file is read to its end, and verified, before it is replaced, and a write replaces the whole file or
 * nothing. So after a crash every file can be decrypted with old or new keys, and another run continues.
 *
 * No replicator may run: it would see files with other sizes, and send a full snapshot. The staging folder is
 * locked, and its records follow the files, so that the next start sends nothing again.
 */

import os from 'node:os';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { randomUUID } from 'node:crypto';
import { systemClock } from '../clock.ts';
import { OwnerLock } from '../database/staging/owner-lock.ts';
import { seal, type SealPlace } from '../encryption/sealed-body.ts';
import { isFull, isSystemError } from '../database/staging/staging-error.ts';
import { isError, messageOf, ReplicationError } from '../error.ts';
import { systemFiles } from '../file-system.ts';
import { LEVEL_SNAPSHOT } from '../history/levels.ts';
import { formatFileChecksum } from '../ltx/file.ts';
import { FILE_CHECKSUM_SIZE_BYTES } from '../ltx/trailer.ts';
import type { LTXFileInfo, Replica } from '../replica/replica.ts';
import type { SentRecord } from '../replicate/destination/admission.ts';
import { SentRecords } from '../replicate/record.ts';
import { describeFile } from '../store/describe.ts';
import { readFile } from './read-file.ts';

export interface RekeyOptions {
  /** With identities for what is there, and the recipients to encrypt for. */
  readonly replica: Replica;
  /** The database that is replicated there from this machine, if it is. */
  readonly local?:
    | { readonly database: string; readonly metaPath: string; readonly target: string }
    | undefined;
  /** Called after each file, with the sizes of the stored files. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Result of `rekey`. */
export interface RekeyReport {
  readonly files: number;
  readonly sizeBytes: number;
}

/**
 * STAGING_IN_USE if a replicator runs. REPLICA_NO_IDENTITY for a file that cannot be decrypted; LTX_… for the first one
 * that is damaged, after all others.
 */
export async function rekey(options: RekeyOptions): Promise<RekeyReport> {
  const { local } = options;
  const isHere = local && (await systemFiles.stat(local.metaPath)) !== undefined;
  if (!isHere) return await rekeyAll(options, undefined);
  const { metaPath: folder, database, target } = local;
  const lock = await OwnerLock.acquire({ folder, database, clock: systemClock });
  try {
    const records = new SentRecords(folder, systemFiles);
    await records.load();
    return await rekeyAll(options, new Records(records, target));
  } finally {
    lock.release();
  }
}

async function rekeyAll(
  { replica, onProgress, signal }: RekeyOptions,
  records: Records | undefined,
): Promise<RekeyReport> {
  const files = await Array.fromAsync(replica.listFiles('all', { signal }));
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let [sizeBytes, doneBytes] = [0, 0];
  let damage: ReplicationError | undefined;
  for (const file of files) {
    try {
      sizeBytes += await rekeyOne(replica, file, records, signal);
    } catch (error) {
      if (!isError(error) || !error.code.startsWith('LTX_')) throw error;
      damage ??= error; // the others still get the new keys
    }
    doneBytes += file.sizeBytes;
    onProgress?.(doneBytes, totalBytes);
  }
  if (damage !== undefined) throw damage;
  return { files: files.length, sizeBytes };
}

async function rekeyOne(
  replica: Replica,
  file: LTXFileInfo,
  records: Records | undefined,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { encrypted } = replica;
  if (encrypted === undefined) {
    throw new ReplicationError(
      'CONFIG_INVALID',
      `encrypt ${replica.name}: it has no encryption; add encryption.recipients to the destination`,
    );
  }
  const storedEnd = await encrypted.readEnd(file, { signal });
  const { header, sizeBytes, body } = await readFile(replica, file, signal);
  const plain = new Ending(body);
  const createdAt = new Date(header.timestampMs);
  const to = place();
  const sealing = seal(
    encrypted.encryption,
    { sizeBytes, createdAt, open: () => plain },
    to,
    signal,
  );
  const sealed = await sealing.catch((error: unknown) => {
    throw toTemporaryError(`encrypt ${describeFile(file)} to ${to.file}`, error);
  });
  try {
    const { level, minTXID, maxTXID: txid } = file;
    const merged = level === 0 ? undefined : { level, minTXID };
    const before = { txid, sizeBytes: file.sizeBytes, checksum: storedEnd, merged };
    const after = { txid, sizeBytes: sealed.sizeBytes, checksum: sealed.end, merged };
    const { nodeID: lineage, pageSize } = header;
    const isSent = records?.isLastSent(before) === true;
    if (records !== undefined && (isSent || level === LEVEL_SNAPSHOT)) {
      await records.willReplace({ ...after, lineage, plainChecksum: plain.checksum, pageSize });
    }
    const written = await replica.writeFile(file, sealed, { signal });
    if (isSent) await records.replaced({ ...after, lineage });
    return written.sizeBytes;
  } finally {
    await sealed.discard();
  }
}

function place(): SealPlace {
  return { files: systemFiles, file: path.join(os.tmpdir(), `sluice-${randomUUID()}.age`) };
}

function toTemporaryError(did: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  return new ReplicationError(
    isFull(error) ? 'STAGING_FULL' : 'STAGING_FAILED',
    `${did}: ${messageOf(error)}; set TMPDIR to a folder with room for the largest file`,
    { cause: error },
  );
}

/** The records of one destination in a staging folder. */
class Records {
  readonly #records: SentRecords;
  readonly #target: string;

  constructor(records: SentRecords, target: string) {
    this.#records = records;
    this.#target = target;
  }

  isLastSent({ txid, sizeBytes, checksum, merged }: Omit<SentRecord, 'lineage'>): boolean {
    const sent = this.#records.get(this.#target);
    if (sent === undefined || !isDeepStrictEqual(sent.merged, merged)) return false;
    return sent.txid === txid && sent.sizeBytes === sizeBytes && sent.checksum === checksum;
  }

  async willReplace(record: Parameters<SentRecords['addSealed']>[1]): Promise<void> {
    await this.#records.addSealed(this.#target, record);
  }

  async replaced(record: SentRecord): Promise<void> {
    const { since } = this.#records.get(this.#target) ?? record;
    this.#records.set(this.#target, { ...record, since });
    await this.#records.save();
  }
}

/** Bytes that are read once; keeps the checksum at their end. */
class Ending implements AsyncIterable<Uint8Array> {
  readonly #bytes: AsyncIterable<Uint8Array>;
  #end: Buffer = Buffer.alloc(0);

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#bytes = bytes;
  }

  get checksum(): string {
    return formatFileChecksum(this.#end.readBigUInt64BE());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of this.#bytes) {
      this.#end = Buffer.concat([this.#end, chunk]).subarray(-FILE_CHECKSUM_SIZE_BYTES);
      yield chunk;
    }
  }
}
