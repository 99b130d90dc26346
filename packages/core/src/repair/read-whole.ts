/**
 * Reads all bytes of a stored file, and verifies them: its checksum, its pages, its index, and that its header
 * has the TXIDs of its name. Writes nothing.
 */

import { ReplicationError } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { isFullImage, LTXDecoder } from '../ltx/decoder.ts';
import type { LTXHeader } from '../ltx/header.ts';
import { formatFilename } from '../ltx/filename.ts';
import type { ReplicaFiles } from '../replica/replica.ts';
import type { LTXFileRef } from '../store/layout.ts';

/** What a whole file is. */
export interface WholeFile {
  readonly header: LTXHeader;
  /** Decrypted. */
  readonly sizeBytes: number;
  readonly checksum: bigint;
  readonly isFullImage: boolean;
}

/** Verifies bytes as they arrive. */
export class FileVerifier {
  readonly #file: LTXFileRef;
  readonly #decoder: LTXDecoder;
  #isChecked = false;

  /** Several verifiers may share a kernel. */
  constructor(file: LTXFileRef, kernel: Kernel) {
    this.#file = file;
    this.#decoder = new LTXDecoder(kernel);
  }

  /** The caller may reuse `chunk` afterwards. LTX_… if the file is damaged. */
  push(chunk: Uint8Array): void {
    for (const batch of this.#decoder.push(chunk)) void batch;
    const { header } = this.#decoder;
    if (this.#isChecked || header === undefined) return;
    this.#isChecked = true;
    requireTXIDs(this.#file, header);
  }

  /** LTX_… if the file is damaged. */
  finish(): WholeFile {
    const { trailer, pageCount, sizeBytes } = this.#decoder.finish();
    const header = this.#decoder.header as LTXHeader; // of a file that is complete
    const { fileChecksum: checksum } = trailer;
    return { header, sizeBytes, checksum, isFullImage: isFullImage(header, pageCount) };
  }
}

/** LTX_… if the file is damaged; the errors of the destination. */
export async function readWhole(
  client: ReplicaFiles,
  file: LTXFileRef,
  kernel: Kernel,
  signal: AbortSignal | undefined,
): Promise<WholeFile> {
  const { body } = await client.openFile(file, { signal });
  return await verifyBody(body, new FileVerifier(file, kernel));
}

export async function verifyBody(
  body: AsyncIterable<Uint8Array>,
  verifier: FileVerifier,
): Promise<WholeFile> {
  for await (const chunk of body) verifier.push(chunk);
  return verifier.finish();
}

/** LTX_INVALID if the header has other TXIDs: it is a file with another name. */
export function requireTXIDs(
  file: LTXFileRef,
  { minTXID, maxTXID }: Pick<LTXFileRef, 'minTXID' | 'maxTXID'>,
): void {
  if (minTXID === file.minTXID && maxTXID === file.maxTXID) return;
  throw new ReplicationError(
    'LTX_INVALID',
    `LTX header: it has the TXIDs of ${formatFilename(minTXID, maxTXID)}, which is another file`,
  );
}
