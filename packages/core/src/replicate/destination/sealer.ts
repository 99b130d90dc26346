/**
 * Encrypts staged files before they are sent, and recognizes them at the destination without an identity:
 * by their size and their last bytes.
 *
 * A level-0 file is recorded in `destinations.json` before it is sent. So a file that was written, but not
 * confirmed, is known to be ours: at a retry, and after a crash. A record counts only while the staged file that was
 * encrypted has the same checksum: its TXID may have been used again. A snapshot is recorded too, because nothing is
 * deleted that only a snapshot of another size or end could replace (`retention/presence.ts`).
 */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { formatBytes } from '../../config/bytes.ts';
import { readRoom, spareBytes } from '../../database/staging/room.ts';
import { ReplicationError } from '../../error.ts';
import { toStagingError } from '../../database/staging/staging-error.ts';
import type { Encryption } from '../../encryption/age.ts';
import { seal, SEALED_MEMORY_BYTES_MAX, type SealedBody } from '../../encryption/sealed-body.ts';
import type { FileSystem } from '../../file-system.ts';
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { ObjectBody } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { SentRecord } from './admission.ts';

/** A file of level 0, or a snapshot, as it was encrypted: its size and checksum are those of the encrypted file. */
export interface SealedRecord extends SentRecord {
  /** Checksum of the LTX file. */
  readonly plainChecksum: string;
  readonly pageSize: number;
}

export interface SealerContext {
  readonly target: string;
  readonly files: FileSystem;
  readonly sealed: () => readonly SealedRecord[];
  /** Resolves when the record is written. */
  readonly onSealed: (record: SealedRecord) => Promise<void>;
}

/** A file to encrypt. */
export interface Plain {
  readonly ref: LTXFileRef;
  readonly body: ObjectBody;
  /** Path of the staged file. */
  readonly path: string;
  readonly checksum: string;
  readonly lineage: bigint;
  readonly pageSize: number;
}

export class Sealer {
  readonly #context: SealerContext;
  /** Kept until the file is written, because a retry must send the same bytes. */
  #last: { readonly id: string; readonly body: SealedBody } | undefined;

  constructor(context: SealerContext) {
    this.#context = context;
  }

  async seal(encryption: Encryption, plain: Plain, signal: AbortSignal): Promise<SealedBody> {
    const { ref, body, path: staged, checksum, lineage, pageSize } = plain;
    const { files, target, onSealed } = this.#context;
    const id = `${describeFile(ref)} ${checksum}`;
    if (this.#last?.id === id && (await this.#last.body.isThere())) return this.#last.body;
    await this.discard();
    const place = createHash('sha256').update(target).digest('hex').slice(0, 8);
    const file = `${staged}.${ref.level}-${place}.tmp`; // removed at the next start
    try {
      await requireRoom(files, file, body.sizeBytes);
      const sealed = await seal(encryption, body, { files, file }, signal);
      this.#last = { id, body: sealed };
      const { level, minTXID, maxTXID: txid } = ref;
      if (level === 0 || level === LEVEL_SNAPSHOT) {
        const { sizeBytes, end } = sealed;
        const merged = level === 0 ? {} : { merged: { level, minTXID } };
        const sent = { txid, sizeBytes, checksum: end, lineage, ...merged };
        await onSealed({ ...sent, plainChecksum: checksum, pageSize });
      }
      return sealed;
    } catch (error) {
      throw toStagingError(`encrypt ${describeFile(ref)}`, error);
    }
  }

  /** The file at the destination, if it is one that was encrypted here from the same file. */
  async findOwn(
    client: ReplicaFiles,
    { ref, checksum }: Plain,
    signal: AbortSignal,
  ): Promise<{ readonly info: LTXFileInfo; readonly record: SealedRecord } | undefined> {
    if (ref.level !== 0) return undefined;
    const own = this.#context.sealed().filter((each) => each.plainChecksum === checksum);
    for await (const info of client.listFiles(0, { from: ref.minTXID, signal })) {
      if (info.minTXID !== ref.minTXID) return undefined;
      if (info.maxTXID !== ref.maxTXID) continue;
      const end = await client.encrypted?.readEnd(info, { signal });
      const { maxTXID: txid, sizeBytes } = info;
      const record = own.find((each) => isSameObject(each, { txid, sizeBytes, checksum: end }));
      return record && { info, record };
    }
    return undefined;
  }

  /** The encrypted file is no longer needed. */
  async discard(): Promise<void> {
    const last = this.#last;
    this.#last = undefined;
    await last?.body.discard();
  }
}

/** A large ciphertext is kept beside the staged file: it can wait until there is room for it. */
async function requireRoom(files: FileSystem, file: string, sizeBytes: number): Promise<void> {
  if (sizeBytes <= SEALED_MEMORY_BYTES_MAX) return;
  const spare = spareBytes(await readRoom(files, path.dirname(file)));
  if (spare >= sizeBytes) return;
  throw new ReplicationError(
    'STAGING_FULL',
    `encrypt to ${file}: it needs ${formatBytes(sizeBytes)}, but only ${formatBytes(Math.max(0, spare))} can be used ` +
      'there; free space on this volume, or set meta-path',
  );
}

/** The newest file of an encrypted destination, as far as it is known to be ours; and its page size, or 0. */
export function identify(
  listed: Omit<SentRecord, 'lineage'>,
  record: SentRecord | undefined,
  sealed: readonly SealedRecord[],
): { readonly top: SentRecord; readonly pageSize: number } {
  const own = sealed.find((each) => isSameObject(each, listed));
  const known = own ?? (record !== undefined && isSameObject(record, listed) ? record : undefined);
  return { top: { ...listed, lineage: known?.lineage ?? 0n }, pageSize: own?.pageSize ?? 0 };
}

/** What the staged file `plain` became when it was encrypted as `top`; undefined if it did not. */
export function asSealed(
  plain: SentRecord | undefined,
  top: SentRecord | undefined,
  sealed: readonly SealedRecord[],
): SentRecord | undefined {
  if (plain === undefined || top === undefined) return undefined;
  return sealed.find((each) => each.plainChecksum === plain.checksum && isSameObject(each, top));
}

function isSameObject(
  a: Omit<SentRecord, 'lineage'>,
  b: { readonly txid: bigint; readonly sizeBytes: number; readonly checksum: string | undefined },
): boolean {
  return a.txid === b.txid && a.sizeBytes === b.sizeBytes && a.checksum === b.checksum;
}
