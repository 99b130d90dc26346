/**
 * Reads LTX files into changes of a warm copy. Each file is read whole and verified before any of its pages
 * counts. Many small files become one change.
 */

import { ReplicationError } from '../error.ts';
import { createKernel } from '../kernel/kernel.ts';
import { LTXDecoder, type DecodedFile } from '../ltx/decoder.ts';
import { formatFilename } from '../ltx/filename.ts';
import type { LTXHeader } from '../ltx/header.ts';
import { sourcedFiles, type SourcedFile } from '../restore/plan/sources.ts';
import { toUnusableFileError } from '../restore/plan/unusable-file.ts';
import { ReadAhead } from '../restore/read-ahead.ts';
import { describeFile } from '../store/describe.ts';
import type { TargetState } from './change.ts';
import type { PageSpool } from './page-spool.ts';

/** One transaction of the copy takes about this many bytes of pages, or one file. */
const CHANGE_BYTES: number = 64 * 1024 * 1024;

/** A file of another lineage that does not hold every page: it does not continue the copy. */
export class OtherLineageError extends ReplicationError {
  constructor(file: SourcedFile) {
    super(
      'LTX_NOT_CONTIGUOUS',
      `${describeFile(file)} was written by another run of the replicator and does not continue the copy`,
    );
  }
}

export interface ReadFilesOptions {
  readonly files: readonly SourcedFile[];
  /** Of the copy; 0 if unknown. */
  readonly lineage: bigint;
  readonly readsMax: number;
  readonly newSpool: () => PageSpool;
  readonly signal: AbortSignal;
}

/** A verified change, valid until the next one is requested. */
export interface ReadChange {
  readonly spool: PageSpool;
  readonly target: TargetState;
  /** A file without a lineage that does not hold every page: nothing in it says whose state it continues. */
  readonly unproven: SourcedFile | undefined;
  readonly files: number;
  readonly bytes: number;
}

/** Errors about one file are UnusableFileError or OtherLineageError. */
export async function* readChanges({
  files,
  lineage: startLineage,
  readsMax,
  newSpool,
  signal,
}: ReadFilesOptions): AsyncGenerator<ReadChange, void> {
  const reads = new ReadAhead(files, { access: sourcedFiles, readsMax, signal });
  let lineage = startLineage;
  let spool: PageSpool | undefined;
  let unproven: SourcedFile | undefined;
  let [count, bytes] = [0, 0];
  try {
    for (const file of files) {
      spool ??= newSpool();
      spool.begin();
      try {
        const { header, decoded } = await readFile(reads.read(file), spool, signal);
        requireName(file, header);
        const isOther = header.nodeID !== 0n && lineage !== 0n && header.nodeID !== lineage;
        const isWhole = spool.isWhole(header);
        if (isOther && !isWhole) throw new OtherLineageError(file);
        if (header.nodeID === 0n && !isWhole) unproven ??= file;
        spool.accept(header);
        if (header.nodeID !== 0n || isWhole) lineage = header.nodeID;
        count += 1;
        bytes += file.sizeBytes;
        if (spool.sizeBytes < CHANGE_BYTES && file !== files.at(-1)) continue;
        const target = toTargetOf(file, header, decoded, lineage);
        yield { spool, target, unproven, files: count, bytes };
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof OtherLineageError ? error : toUnusableFileError(file, error);
      }
      spool.discard();
      spool = undefined;
      [count, bytes] = [0, 0];
    }
  } finally {
    await reads.close();
    spool?.discard();
  }
}

const kernel = createKernel();

async function readFile(
  chunks: AsyncIterable<Uint8Array>,
  spool: PageSpool,
  signal: AbortSignal,
): Promise<{ readonly header: LTXHeader; readonly decoded: DecodedFile }> {
  const decoder = new LTXDecoder(kernel);
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    for (const batch of decoder.push(chunk)) spool.add(batch);
  }
  const decoded = decoder.finish();
  return { header: decoder.header as LTXHeader, decoded };
}

function requireName(file: SourcedFile, { minTXID, maxTXID, commit }: LTXHeader): void {
  if (minTXID !== file.minTXID || maxTXID !== file.maxTXID) {
    const actual = formatFilename(minTXID, maxTXID);
    throw new ReplicationError('LTX_INVALID', `its header says that it is file ${actual}`);
  }
  if (commit === 0) throw new ReplicationError('LTX_INVALID', 'its database has no pages');
}

function toTargetOf(
  file: SourcedFile,
  { timestampMs }: LTXHeader,
  { trailer }: DecodedFile,
  lineage: bigint,
): TargetState {
  const { level, minTXID, maxTXID, sizeBytes } = file;
  const last = { level, minTXID, maxTXID, sizeBytes, checksum: trailer.fileChecksum };
  return { txid: maxTXID, lineage, timestampMs, last };
}
