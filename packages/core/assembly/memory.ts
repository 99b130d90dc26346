// Where the kernel's buffers lie. All of them are static: nothing is allocated, nothing grows.

/** Pages or encoded frames of one batch, at most. */
export const BATCH_BYTES_MAX: u32 = 1024 * 1024;
/** 16-byte copies may run over the end of a buffer by this much. */
const SLACK: u32 = 64;
/** A batch of the smallest pages. */
export const COUNT_MAX: u32 = BATCH_BYTES_MAX / 512 + 1;
/** Room beyond a batch for one more frame of the largest page, or for headers of the smallest. */
const EXTRA: u32 = 512 * 1024;

export const INPUT: usize = memory.data(BATCH_BYTES_MAX + EXTRA + SLACK, 16);
export const OUTPUT: usize = memory.data(BATCH_BYTES_MAX + EXTRA + SLACK, 16);
export const PGNOS: usize = memory.data(COUNT_MAX * 4, 16);
export const SIZES: usize = memory.data(COUNT_MAX * 4, 16);
export const CHECKSUMS: usize = memory.data(COUNT_MAX * 8, 16);

export function inputAt(): usize {
  return INPUT;
}
export function outputAt(): usize {
  return OUTPUT;
}
export function pgnosAt(): usize {
  return PGNOS;
}
export function sizesAt(): usize {
  return SIZES;
}
export function checksumsAt(): usize {
  return CHECKSUMS;
}
export function capacity(): u32 {
  return BATCH_BYTES_MAX + EXTRA;
}
