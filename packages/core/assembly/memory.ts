// The kernel's linear memory: fixed, laid out by hand, no allocator.
//
//   address    size                  what
//   0          STATIC_BYTES          static tables, placed by the compiler
//   RESULT     64                    what a call reports (see pages.ts, wal.ts)
//   PGNOS      4 * ENTRIES_MAX       page numbers, in and out
//   SIZES      4 * ENTRIES_MAX       sizes of page frames
//   COMMITS    4 * ENTRIES_MAX       commit fields of WAL frames
//   CHECKSUMS  8 * ENTRIES_MAX       running WAL checksums, or hashes of pages
//   HASHES     2 * 2^HASH_BITS_MAX   positions, for the compressor
//   INPUT      INPUT_BYTES           where the caller puts bytes
//   OUTPUT     OUTPUT_BYTES          what we make of them
//
// SLACK_BYTES follow INPUT and OUTPUT: copies move 16 bytes at a time and may run over an end.

/** Largest batch of pages, in bytes. The same number stands in src/kernel/kernel.ts. */
export const BATCH_BYTES_MAX: u32 = 1 << 20;

/** A batch, and a page frame that the batch before left unfinished (at most 65,819 bytes). */
export const INPUT_BYTES: u32 = BATCH_BYTES_MAX + (128 << 10);

/** A batch in its worst case: 2,048 pages of 512 random bytes grow by 43 bytes each. */
const OUTPUT_BYTES: u32 = BATCH_BYTES_MAX + (128 << 10);

/** No call meets more: 2,048 pages of 512 bytes in a batch, 2,200 WAL frames of 536 in the input. */
export const ENTRIES_MAX: u32 = 2304;

/** 2^14 positions of 2 bytes. More would not fit the first-level cache. */
export const HASH_BITS_MAX: u32 = 14;

const STATIC_BYTES: usize = 4096;
const SLACK_BYTES: u32 = 64;

export const RESULT: usize = STATIC_BYTES;
export const PGNOS: usize = RESULT + 64;
export const SIZES: usize = PGNOS + 4 * ENTRIES_MAX;
export const COMMITS: usize = SIZES + 4 * ENTRIES_MAX;
export const CHECKSUMS: usize = COMMITS + 4 * ENTRIES_MAX;
export const HASHES: usize = CHECKSUMS + 8 * ENTRIES_MAX;
export const INPUT: usize = HASHES + (2 << HASH_BITS_MAX);
export const OUTPUT: usize = INPUT + INPUT_BYTES + SLACK_BYTES;
export const MEMORY_END: usize = OUTPUT + OUTPUT_BYTES + SLACK_BYTES;

/** Pages of 64 KiB at the start. The same number stands in build.mjs. */
export const MEMORY_PAGES: usize = 38;
