/**
 * Copies one file from one destination to another, and verifies every byte on the way.
 *
 * The last bytes are handed over only after all of them were verified, and a write is whole or nothing. So
 * nothing damaged gets a name. Encrypted files are decrypted and encrypted by the clients.
 *
 *  reason     write
 *  missing    only if the name is still free
 *  damaged    only over the version that was read again, and found damaged, just before
 */

import { isError, ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { decodeHeader, HEADER_SIZE_BYTES } from '../ltx/header.ts';
import { writeFenced } from '../replica/fencing.ts';
import type { LTXFileInfo, ReplicaFiles } from '../replica/replica.ts';
import { type OpenReplica, withFencing } from '../replicate/destination/sender.ts';
import { readBytes } from '../store/body.ts';
import { describeFile } from '../store/describe.ts';
import { FileVerifier, requireTXIDs, verifyBody } from './read-whole.ts';

export interface CopyOptions {
  readonly file: LTXFileInfo;
  readonly reason: 'missing' | 'damaged';
  readonly from: OpenReplica;
  readonly to: OpenReplica;
  readonly kernel: Kernel;
  readonly signal?: AbortSignal | undefined;
}

/** `needless`: somebody else has written it meanwhile. */
export type CopyOutcome =
  | { readonly kind: 'copied'; readonly sizeBytes: number }
  | { readonly kind: 'needless' };

/** The bytes of the source are damaged or missing: another source may be better. */
export class BadSourceError extends Error {
  readonly code: string;

  constructor(error: ReplicationError) {
    super(error.message, { cause: error });
    this.code = error.code;
  }
}

/** BadSourceError, or an error of the target, or the reason of the signal. */
export async function copyFile(options: CopyOptions): Promise<CopyOutcome> {
  const { file, reason, to, signal } = options;
  const body = await openVerified(options);
  try {
    if (reason === 'missing') return await writeMissing(options, body);
    const damaged = await readDamaged(options);
    if (damaged === 'whole') return { kind: 'needless' };
    const { version } = damaged;
    const canCompare = to.capabilities.versions === true && version !== undefined;
    const condition = canCompare ? { version } : undefined;
    const written = await to.client.writeFile(file, body, { condition, signal });
    return { kind: 'copied', sizeBytes: written.sizeBytes };
  } catch (error) {
    signal?.throwIfAborted();
    // The body fails with the error of the source, whatever the client makes of it.
    if (body.failure !== undefined) throw new BadSourceError(body.failure);
    if (isError(error, 'REPLICA_CONFLICT')) return { kind: 'needless' };
    throw error;
  }
}

async function writeMissing(
  { file, to, signal }: CopyOptions,
  body: VerifiedBody,
): Promise<CopyOutcome> {
  const { client, capabilities } = to;
  // Without conditional writes, a look just before the write is the best there is.
  if (capabilities.conditions === undefined && (await exists(client, file, signal))) {
    return { kind: 'needless' };
  }
  // The proof of its conditional writes would read the source again.
  const fenced = withFencing({ ...to, unsettled: undefined });
  const written = await writeFenced(fenced, { file, body, onFound: () => undefined, signal });
  return { kind: 'copied', sizeBytes: written.sizeBytes };
}

async function exists(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const range = { start: 0, end: HEADER_SIZE_BYTES };
    const { body } = await client.openFile(file, { range, signal });
    for await (const chunk of body) void chunk;
    return true;
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND')) return false;
    throw error;
  }
}

/** A body that verifies itself. */
class VerifiedBody {
  readonly sizeBytes: number;
  readonly createdAt: Date;
  failure: ReplicationError | undefined;
  readonly #options: CopyOptions;

  constructor(options: CopyOptions, sizeBytes: number, createdAt: Date) {
    this.#options = options;
    this.sizeBytes = sizeBytes;
    this.createdAt = createdAt;
  }

  async *open(): AsyncGenerator<Uint8Array, void> {
    const { file, from, kernel, signal } = this.#options;
    this.failure = undefined;
    const verifier = new FileVerifier(file, kernel);
    let held: Uint8Array | undefined;
    try {
      const { body } = await from.client.openFile(file, { signal });
      for await (const chunk of body) {
        verifier.push(chunk);
        if (held !== undefined) yield held;
        held = chunk.slice();
      }
      verifier.finish();
    } catch (error) {
      if (isError(error)) this.failure = error;
      throw error;
    }
    if (held !== undefined) yield held;
  }
}

async function openVerified(options: CopyOptions): Promise<VerifiedBody> {
  const { file, from, signal } = options;
  try {
    const range = { start: 0, end: HEADER_SIZE_BYTES };
    const { sizeBytes, body } = await from.client.openFile(file, { range, signal });
    const header = decodeHeader(await readBytes(body, HEADER_SIZE_BYTES));
    requireTXIDs(file, header);
    return new VerifiedBody(options, sizeBytes, new Date(header.timestampMs));
  } catch (error) {
    signal?.throwIfAborted();
    throw isError(error) ? new BadSourceError(error) : error;
  }
}

/** Reads the damaged file again. `whole`: it is no longer damaged. */
async function readDamaged({
  file,
  to,
  kernel,
  signal,
}: CopyOptions): Promise<'whole' | { readonly version: string | undefined }> {
  let version: string | undefined;
  try {
    const opened = await to.client.openFile(file, { signal });
    version = opened.version;
    await verifyBody(opened.body, new FileVerifier(file, kernel));
    return 'whole';
  } catch (error) {
    if (isError(error) && error.code.startsWith('LTX_')) return { version };
    throw describe(error, file);
  }
}

function describe(error: unknown, file: LTXFileInfo): unknown {
  if (!isError(error, 'REPLICA_NOT_FOUND')) return error;
  const message = `replace ${describeFile(file)}: it was deleted meanwhile; run repair again`;
  return new ReplicationError('REPLICA_CHANGED', message, { cause: error });
}
