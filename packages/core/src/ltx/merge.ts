/**
 * Merges LTX files, oldest first, into one: of each page its newest version, none beyond the commit
 * of the newest file (ltx-format section 5). Knows nothing of where the files lie.
 *
 * Every input's checksum is proved before the last chunk of the output is given, so what is merged
 * from a damaged file never becomes a whole file.
 *
 * Memory: for each input the chunk that it gave and one decoded portion (an 8th of a megabyte for a
 * usual database, a megabyte at the very worst), and one batch for all.
 */

import { ReplicationError } from '../error.ts';
import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../kernel/kernel.ts';
import { LTXEncoder } from './encoder.ts';
import { isSnapshot, type LTXHeader } from './header.ts';
import { MergeInput, NO_MORE_PAGES } from './merge-input.ts';
import { mergeHeaders } from './merged-header.ts';
import { lastPgno, nextPgno } from './page-order.ts';

/** So many files at once; each one is an open body. More are merged in rounds. */
export const MERGE_INPUTS_MAX = 1024;
/** Of one input at a time, and of all together: few inputs are read in larger portions. */
const PORTION_BYTES_MIN = 4 * 1024;
const PORTION_BYTES_MAX = 64 * 1024;
const PORTIONS_BYTES_MAX = 4 * 1024 * 1024;

export interface MergeOptions {
  /** Default 'block'. */
  readonly encoding?: PageEncoding | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface MergedFile {
  readonly header: LTXHeader;
  readonly fileChecksum: bigint;
  readonly sizeBytes: number;
  readonly pageCount: number;
}

/**
 * Chunks of the merged file, each the caller's to keep; at the end what it is. Bodies are closed,
 * also when the caller stops early. The kernel may be used by others between two chunks.
 *
 * LTX_NOT_CONTIGUOUS, LTX_UNSUPPORTED: see {@link mergeHeaders}, or too many files. LTX_INVALID: a
 * snapshot would lack a page. Every error of {@link LTXDecoder}, and of a body, passes through.
 */
export async function* merge(
  kernel: Kernel,
  bodies: readonly AsyncIterable<Uint8Array>[],
  options: MergeOptions = {},
): AsyncGenerator<Uint8Array, MergedFile> {
  if (bodies.length > MERGE_INPUTS_MAX) {
    const what = `merge ${bodies.length} LTX files: more than ${MERGE_INPUTS_MAX}; merge in rounds`;
    throw new ReplicationError('LTX_UNSUPPORTED', what);
  }
  const share = Math.floor(PORTIONS_BYTES_MAX / Math.max(1, bodies.length));
  const portion = Math.max(PORTION_BYTES_MIN, Math.min(PORTION_BYTES_MAX, share));
  const inputs = bodies.map((body) => new MergeInput(kernel, body, portion));
  try {
    const header = mergeHeaders(await Promise.all(inputs.map((input) => input.open())));
    const encoder = new LTXEncoder(kernel, header, { encoding: options.encoding });
    yield encoder.start().slice();
    for await (const { pgnos, pages } of newestPages(inputs, header)) {
      options.signal?.throwIfAborted();
      yield encoder.pages(pgnos, pages).slice();
    }
    const { bytes, ...file } = encoder.finish();
    yield bytes.slice();
    return { header, ...file };
  } finally {
    // Bodies that were read to their end close at once; of the others, an error says nothing more.
    await Promise.allSettled(inputs.map((input) => input.close()));
  }
}

interface Batch {
  readonly pgnos: Uint32Array;
  readonly pages: Uint8Array;
}

/** Batches of the newest version of each page up to the commit. Every input is read to its end. */
async function* newestPages(
  inputs: readonly MergeInput[],
  header: LTXHeader,
): AsyncGenerator<Batch, void> {
  const { pageSize, commit } = header;
  const room = Math.floor(BATCH_BYTES_MAX / pageSize);
  const batch = { pgnos: new Uint32Array(room), pages: new Uint8Array(room * pageSize) };
  let count = 0;
  let previous = 0;
  for (;;) {
    const { input, below } = await nextRun(inputs);
    if (input === undefined) break;
    while (input.pgno < below) {
      if (input.pgno <= commit) {
        checkNext(header, previous, input.pgno, inputs.length);
        previous = input.pgno;
        batch.pgnos[count] = previous;
        batch.pages.set(input.page(pageSize), count * pageSize);
        count += 1;
      }
      const filled = input.next();
      if (filled !== undefined) await filled;
      if (count < room) continue;
      yield batch;
      count = 0;
    }
  }
  if (previous !== lastPgno(commit, pageSize)) {
    checkNext(header, previous, commit + 1, inputs.length);
  }
  if (count > 0) {
    const pgnos = batch.pgnos.subarray(0, count);
    yield { pgnos, pages: batch.pages.subarray(0, count * pageSize) };
  }
}

/** LTX_INVALID where a snapshot would leave a page out before `pgno`. */
function checkNext(header: LTXHeader, previous: number, pgno: number, files: number): void {
  const next = nextPgno(previous, header.pageSize);
  if (!isSnapshot(header) || pgno === next) return;
  const what = `merge ${files} LTX files into a snapshot: none has page ${next}`;
  throw new ReplicationError('LTX_INVALID', what);
}

interface Run {
  readonly input: MergeInput | undefined;
  readonly below: number;
}

/** The input whose present page comes next, and up to which page no other has one. */
async function nextRun(inputs: readonly MergeInput[]): Promise<Run> {
  let newest: MergeInput | undefined;
  for (const input of inputs) {
    if (input.pgno !== NO_MORE_PAGES && input.pgno <= (newest?.pgno ?? NO_MORE_PAGES))
      newest = input;
  }
  if (newest === undefined) return { input: undefined, below: 0 };
  let below = NO_MORE_PAGES;
  for (const input of inputs) {
    if (input === newest) continue;
    if (input.pgno === newest.pgno) await input.next(); // an older version
    below = Math.min(below, input.pgno);
  }
  return { input: newest, below };
}
