/**
 * Sends staged files to one destination, one at a time.
 *
 * The first file that this process writes to a destination counts as sent only after a listing shows
 * it: a server that normalizes keys, or a proxy in front of the server, may accept a file and store it
 * under another name. A file that cannot be listed cannot be restored. The check costs one listing per
 * destination and process. It is repeated until the file is listed; after REWRITE_MS the file is
 * written again. If it shows files that are not known, the first listing was incomplete, and the destination
 * is listed again before anything else is sent.
 */

import type { Clock } from '../../clock.ts';
import { formatBytes } from '../../config/bytes.ts';
import { isError, ReplicationError } from '../../error.ts';
import { formatTXID } from '../../ltx/txid.ts';
import type { FileSystem } from '../../file-system.ts';
import { type FencedReplica, Fencing, writeFenced } from '../../replica/fencing.ts';
import type { EncryptedFiles, LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import { unlessAborted } from '../../store/abort.ts';
import type { Logger } from '../../store/backend.ts';
import type { Capabilities } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import { traced, type TraceContext } from '../../tracing.ts';
import { servedDatabase } from '../logging.ts';
import type { SentRecord } from './admission.ts';
import { bodyAs, type SharedReads } from './bodies.ts';
import { type Plain, Sealer, type SealerContext } from './sealer.ts';
import type { Holdings } from './holdings.ts';
import type { SeedWrite } from './next.ts';
import { COPY_BYTES_MIN, copyAtServer } from './server-copy.ts';

/** Minimum time before a file that is not listed is written again. It may be large. */
const REWRITE_MS = 600_000;

export interface SenderContext extends SealerContext {
  /** Name of the destination. */
  readonly name: string;
  readonly holdings: Holdings;
  readonly onBytes: () => void;
  /** A file was written and counts as sent. */
  readonly onWritten: (written: Written) => void;
  /** Shared by all destinations of the database. */
  readonly reads: SharedReads;
  /** A staged file no longer exists. */
  readonly onGone: (path: string) => void;
  /** Shared by all senders to one destination. */
  readonly listingProof: ListingProof;
  /** Default COPY_BYTES_MIN; tests set it lower. */
  readonly copyBytesMin?: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whether a listing has shown a file written by this process. */
export class ListingProof {
  isProven = false;
}

export class Sender {
  readonly #context: SenderContext;
  readonly #sealer: Sealer;
  /** A written file that no listing has shown yet. */
  #unlisted: (Written & { readonly writtenAt: number }) | undefined;
  /** The last large file that was uploaded and counts as sent. A further file of its bytes can be copied from it. */
  #uploaded: Written | undefined;
  /** A file that was never listed and is to be written again. */
  #neverListed: Written | undefined;

  constructor(context: SenderContext) {
    this.#context = context;
    this.#sealer = new Sealer(context);
  }

  /** Whether a written file is not listed yet. It is looked for before anything else is sent. */
  get isVerifying(): boolean {
    return this.#unlisted !== undefined;
  }

  /**
   * Returns 'changed' if the staged file was freed before it was sent, or if another queue was writing a file of
   * this name.
   */
  async send(
    replica: FencedReplica,
    write: SeedWrite,
    signal: AbortSignal,
  ): Promise<'worked' | 'changed'> {
    const { inFlight } = this.#context.holdings;
    const other = inFlight.endOfFile(write.ref);
    if (other === undefined) {
      return await inFlight.write(write.ref, () => this.#send(replica, write, signal));
    }
    await unlessAborted(other, [signal]);
    return 'changed';
  }

  async #send(
    replica: FencedReplica,
    { ref, source, need }: SeedWrite,
    signal: AbortSignal,
  ): Promise<'worked' | 'changed'> {
    const { name, target, holdings, files, reads, onBytes, onGone, listingProof, clock, logger } =
      this.#context;
    const onFound = (level: 'warn' | 'debug', message: string): void =>
      logger[level](`${name}: ${message}`, { target });
    let written: Written | 'gone';
    try {
      written = await traced('sync', toContext(name, ref, source), () =>
        sendFile(replica, {
          ...{ ref, source, files, reads, uploaded: this.#uploaded },
          ...{ onBytes, onFound, signal },
          sealer: this.#sealer,
        }),
      );
    } catch (error) {
      if (this.#isOwnFile(error, ref)) throw notListed(ref, 'it is not listed');
      if (isError(error, 'REPLICA_CONFLICT')) holdings.nameTaken(ref, need);
      throw error;
    }
    if (written === 'gone') {
      logger.warn(`${name}: ${source.path} was removed before it was sent`);
      onGone(source.path);
      return 'changed';
    }
    if (listingProof.isProven) return this.#record(written);
    this.#unlisted = { ...written, writtenAt: clock.monotonic() };
    return await this.verifyListed(replica.client, signal);
  }

  /** Lists the last written file. Throws REPLICA_NOT_LISTED if it is not found. */
  async verifyListed(client: ReplicaFiles, signal: AbortSignal): Promise<'worked'> {
    const { name, target, holdings, listingProof, clock, logger } = this.#context;
    const unlisted = this.#unlisted;
    if (unlisted === undefined) throw new TypeError('no file is looked for');
    if (!listingProof.isProven) {
      const { how, unknown } = await lookFor(client, unlisted.info, { holdings, signal });
      if (unknown !== undefined) {
        logger.warn(
          `${name}: it has ${describeFile(unknown)}, which its last listing did not show, so it is listed again`,
          { target },
        );
        holdings.requireListing();
      }
      if (how !== undefined) {
        if (clock.monotonic() - unlisted.writtenAt >= REWRITE_MS) {
          this.#neverListed = unlisted;
          this.#unlisted = undefined;
        }
        throw notListed(unlisted.info, how);
      }
      listingProof.isProven = true;
    }
    this.#unlisted = undefined;
    this.#neverListed = undefined;
    return this.#record(unlisted);
  }

  /** Counts a file as sent. */
  #record(written: Written): 'worked' {
    const { copyBytesMin = COPY_BYTES_MIN } = this.#context;
    if (written.uploadedBytes >= copyBytesMin) this.#uploaded = written;
    this.#context.holdings.wrote(written);
    this.#context.onWritten(written);
    return 'worked';
  }

  /** Whether a conflict is with our own file that no listing showed. If so, it is looked for again. */
  #isOwnFile(error: unknown, ref: LTXFileRef): boolean {
    if (!isError(error, 'REPLICA_CONFLICT') || this.#neverListed === undefined) return false;
    if (!isSame(this.#neverListed.info, ref)) return false;
    this.#unlisted = { ...this.#neverListed, writtenAt: this.#context.clock.monotonic() };
    return true;
  }
}

interface Found {
  /** Why the file does not count as stored; undefined if it is listed with its size. */
  readonly how: string | undefined;
  /** A file of the same level, not before it, that is neither this one nor a known one. */
  readonly unknown: LTXFileInfo | undefined;
}

/** Lists the level of a written file from its first TXID on, up to the first file that is not known. */
async function lookFor(
  client: ReplicaFiles,
  file: LTXFileInfo,
  { holdings, signal }: { holdings: Pick<Holdings, 'has'>; signal: AbortSignal },
): Promise<Found> {
  const { level, minTXID: from, sizeBytes } = file;
  let how: string | undefined = 'it is not listed';
  let unknown: LTXFileInfo | undefined;
  for await (const found of client.listFiles(level, { from, signal })) {
    if (isSame(found, file)) {
      const { sizeBytes: listed } = found;
      how =
        listed === sizeBytes
          ? undefined
          : `it is listed with ${listed} bytes, but ${sizeBytes} were sent`;
    } else if (!holdings.has(found)) unknown ??= found;
    if (unknown !== undefined && unknown.minTXID > from) break;
  }
  return { how, unknown };
}

function isSame(a: LTXFileRef, b: LTXFileRef): boolean {
  return a.level === b.level && a.minTXID === b.minTXID && a.maxTXID === b.maxTXID;
}

function notListed(file: LTXFileRef, how: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_NOT_LISTED',
    `wrote ${describeFile(file)}, and the server confirmed it, but ${how}: the server ` +
      'stored it under another name or not at all, so nothing there counts as replicated; check that ' +
      'the path has no leading, trailing or double slash and no backslash, and check for a proxy in ' +
      'front of the server',
  );
}

// --- sending one staged file ---

/** The files of one database at an open destination. */
export interface OpenReplica {
  readonly client: ReplicaFiles;
  readonly capabilities: Capabilities;
  /** State of its conditional writes, shared by all replicas of a destination. */
  readonly fencing?: Fencing | undefined;
  /**
   * The same files through a client that does not resolve conflicts. Without it fencing is not
   * verified.
   */
  readonly unsettled?: ReplicaFiles | undefined;
  /** Aborted when an error escapes from the client, which must then be opened again. */
  readonly broken?: AbortSignal | undefined;
}

/** Adds a fencing state of its own to a replica that has no shared one. */
export function withFencing(replica: OpenReplica): FencedReplica {
  return { ...replica, fencing: replica.fencing ?? new Fencing() };
}

/** A written file. */
export interface Written {
  readonly info: LTXFileInfo;
  readonly sent: SentRecord;
  readonly pageSize: number;
  /** 0 if it was copied at the destination. */
  readonly uploadedBytes: number;
}

interface Sending extends Pick<SeedWrite, 'ref' | 'source'> {
  /** The last file that was uploaded there. */
  readonly uploaded: Written | undefined;
  readonly files: FileSystem;
  readonly reads: SharedReads;
  readonly sealer: Sealer;
  readonly onBytes: () => void;
  /** Logs a finding about the conditional writes of the destination. */
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Writes a file of any level only if it does not exist, as far as the destination supports that, so
 * that a fenced-out writer replaces neither increments nor snapshots. Returns 'gone' if the staged
 * file was freed before it was sent, because the destination lags beyond the staging limit.
 */
async function sendFile(
  replica: FencedReplica,
  { ref, source, uploaded, files, reads, sealer, onBytes, onFound, signal }: Sending,
): Promise<Written | 'gone'> {
  try {
    using whole = await reads.read(source);
    const { body, checksum, header } = await bodyAs(ref, source, {
      files,
      whole: whole?.bytes,
      onBytes,
    });
    const { nodeID: lineage, pageSize } = header;
    const { encrypted } = replica.client;
    if (encrypted !== undefined) {
      const plain = { ref, body, path: source.path, checksum, lineage, pageSize };
      return await sendSealed(replica, encrypted, plain, { sealer, onBytes, onFound, signal });
    }
    const { sizeBytes } = body;
    const sent = toRecord(ref, { sizeBytes, checksum, lineage });
    const copied =
      uploaded === undefined || !isSameFile(uploaded, ref, sent)
        ? 'not copied'
        : await copyAtServer(replica, {
            ...{ from: uploaded.info, to: ref, sizeBytes, checksum, onFound, signal },
          });
    if (typeof copied === 'object') return { info: copied, sent, pageSize, uploadedBytes: 0 };
    const info =
      copied === 'not copied'
        ? await writeFenced(replica, { file: ref, body, onFound, signal })
        : await replica.client.writeFile(ref, body, { signal }); // our own copy
    return { info, sent, pageSize, uploadedBytes: sizeBytes };
  } catch (error) {
    if (signal.aborted || (await isThere(files, source.path))) throw error;
    return 'gone';
  }
}

function toContext(
  destination: string,
  { level, minTXID, maxTXID }: LTXFileRef,
  { sizeBytes }: Pick<SeedWrite['source'], 'sizeBytes'>,
): TraceContext {
  const [from, to] = [formatTXID(minTXID), formatTXID(maxTXID)];
  return { database: servedDatabase(), destination, level, from, to, bytes: sizeBytes };
}

function toRecord(
  { level, minTXID, maxTXID: txid }: LTXFileRef,
  identity: Pick<SentRecord, 'sizeBytes' | 'checksum' | 'lineage'>,
): SentRecord {
  return { txid, ...identity, ...(level > 0 && { merged: { level, minTXID } }) };
}

/** Whether a file of these TXIDs has the bytes of an uploaded one. */
function isSameFile({ info, sent }: Written, ref: LTXFileRef, as: SentRecord): boolean {
  const isSameName = info.minTXID === ref.minTXID && info.maxTXID === ref.maxTXID;
  return isSameName && sent.checksum === as.checksum && sent.sizeBytes === as.sizeBytes;
}

/** The same for a destination whose files are encrypted. */
async function sendSealed(
  replica: FencedReplica,
  { encryption }: EncryptedFiles,
  plain: Plain,
  { sealer, onBytes, onFound, signal }: Pick<Sending, 'sealer' | 'onBytes' | 'onFound' | 'signal'>,
): Promise<Written> {
  const { ref, lineage, pageSize } = plain;
  const body = await sealer.seal(encryption, plain, signal);
  let written: { readonly info: LTXFileInfo; readonly end: string } | undefined;
  try {
    const info = await writeFenced(replica, {
      ...{ file: ref, onFound, signal },
      body: body.counted(onBytes),
    });
    written = { info, end: body.end };
  } catch (error) {
    if (!isError(error, 'REPLICA_CONFLICT')) throw error;
    const own = await sealer.findOwn(replica.client, plain, signal);
    if (own === undefined) throw error;
    written = { info: own.info, end: own.record.checksum };
  }
  await sealer.discard();
  const { info, end } = written;
  const sent = toRecord(ref, { sizeBytes: info.sizeBytes, checksum: end, lineage });
  return { info, sent, pageSize, uploadedBytes: info.sizeBytes };
}

/** Returns true if `stat` fails, so that the original error is reported. */
async function isThere(files: FileSystem, path: string): Promise<boolean> {
  try {
    return (await files.stat(path)) !== undefined;
  } catch {
    return true;
  }
}

// --- log line such as "full snapshot sent: 210 MiB in 12 s" ---

export class SentSnapshot {
  readonly #beganAt: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #sizeBytes = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
  }

  add(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
  }

  describe(): string {
    const seconds = (this.#clock.monotonic() - this.#beganAt) / 1_000;
    const rounded = Number(seconds.toFixed(seconds < 10 ? 1 : 0));
    return `full snapshot sent: ${formatBytes(this.#sizeBytes)} in ${rounded} s`;
  }
}
