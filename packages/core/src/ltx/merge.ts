/**
 * Merges LTX files, oldest first, into one. It takes the newest version of each page and drops
 * pages after the commit of the newest file (ltx-format section 5). It does no I/O of its own.
 *
 * It verifies the checksum of every input before it returns the last chunk of the output, so a
 * damaged input never leads to a complete output file.
 *
 * Memory: for each input, one chunk and one decoded portion (usually an eighth of a megabyte, at
 * most one megabyte); and one batch for all inputs together.
 */

import { ReplicationError } from '../error.ts';
import { BATCH_BYTES_MAX, type Kernel, type PageEncoding } from '../kernel/kernel.ts';
import { LTXEncoder } from './encoder.ts';
import { isSnapshot, type LTXHeader } from './header.ts';
import { MergeInput, NO_MORE_PAGES } from './merge-input.ts';
import { mergeHeaders } from './merged-header.ts';
import { lastPgno, nextPgno } from './page-order.ts';

/** Maximum number of inputs; each one is an open body. Merge more files in rounds. */
export const MERGE_INPUTS_MAX = 1024;
/** Bytes decoded at once, of one input and of all together: few inputs get larger portions. */
const PORTION_BYTES_MIN = 4 * 1024;
const PORTION_BYTES_MAX = 64 * 1024;
const PORTIONS_BYTES_MAX = 4 * 1024 * 1024;

/** Options of a merge. */
export interface MergeOptions {
  /** Default 'block'. */
  readonly encoding?: PageEncoding | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The file that a merge produced. Sizes are in bytes. */
export interface MergedFile {
  readonly header: LTXHeader;
  readonly fileChecksum: bigint;
  readonly sizeBytes: number;
  readonly pageCount: number;
}

/**
 * Yields the chunks of the merged file, which the caller may keep, and returns its description.
 * Closes the bodies, even if the caller stops early. Others may use the kernel between two chunks.
 *
 * LTX_NOT_CONTIGUOUS, LTX_UNSUPPORTED: see {@link mergeHeaders}; or there are too many files.
 * LTX_INVALID: a snapshot would lack a page. Passes on every error of {@link LTXDecoder} and of a
 * body.
 */
export async function* merge(
  kernel: Kernel,
  bodies: readonly AsyncIterable<Uint8Array>[],
  options: MergeOptions = {},
): AsyncGenerator<Uint8Array, MergedFile> {
  if (bodies.length > MERGE_INPUTS_MAX) {
    const what = `merge ${bodies.length} LTX files: the limit is ${MERGE_INPUTS_MAX}; merge in rounds`;
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
    // Bodies that were read to their end close at once; an error in closing the others is irrelevant.
    await Promise.allSettled(inputs.map((input) => input.close()));
  }
}

interface Batch {
  readonly pgnos: Uint32Array;
  readonly pages: Uint8Array;
}

/**
 * Yields batches of the newest version of each page up to the commit. Reads every input to its end.
 */
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

/** LTX_INVALID if a snapshot would have no page before `pgno`. */
function checkNext(header: LTXHeader, previous: number, pgno: number, files: number): void {
  const next = nextPgno(previous, header.pageSize);
  if (!isSnapshot(header) || pgno === next) return;
  const what = `merge ${files} LTX files into a snapshot: no file has page ${next}`;
  throw new ReplicationError('LTX_INVALID', what);
}

interface Run {
  readonly input: MergeInput | undefined;
  readonly below: number;
}

/** The input with the next page, and the first page number that another input may have. */
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
