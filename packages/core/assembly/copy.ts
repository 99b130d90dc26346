// Copies that write 16 bytes at a time and may run up to 15 bytes over the end.
// The buffers have slack for it, and what is written beyond is written anew by what follows.

/** Bytes to move when a copy is so long that the engine's own loop wins. */
const BULK_BYTES: u32 = 512;

/** From one buffer to another. */
// @ts-ignore: decorator
@inline
export function copyLiterals(to: usize, from: usize, length: u32): void {
  if (length > BULK_BYTES) {
    memory.copy(to, from, length);
    return;
  }
  let t = to;
  let f = from;
  const end = to + length;
  do {
    v128.store(t, v128.load(f));
    t += 16;
    f += 16;
  } while (t < end);
}

/** For each offset below 16: which of the last `offset` bytes comes i-th. */
const PATTERNS: usize = memory.data(16 * 16, 16);

/** For each offset below 16: its largest multiple that is at most 16. */
const STEPS: usize = memory.data(16, 16);

/** Called once, before all else. */
export function fillPatterns(): void {
  for (let offset: u32 = 1; offset < 16; offset++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(PATTERNS + offset * 16 + i, <u8>(i % offset));
    store<u8>(STEPS + offset, <u8>(16 - (16 % offset)));
  }
}

/** `length` bytes from `offset` bytes before `to`, which may overlap what is being written. */
// @ts-ignore: decorator
@inline
export function copyMatch(to: usize, offset: u32, length: u32): void {
  let t = to;
  const end = to + length;
  if (offset >= 16) {
    let f = to - offset;
    do {
      v128.store(t, v128.load(f));
      t += 16;
      f += 16;
    } while (t < end);
    return;
  }
  const pattern = v128.swizzle(v128.load(to - offset), v128.load(PATTERNS + (offset << 4)));
  const step: usize = load<u8>(STEPS + offset);
  do {
    v128.store(t, pattern);
    t += step;
  } while (t < end);
}
