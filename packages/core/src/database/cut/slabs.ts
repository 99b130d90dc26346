/** Memory for pages in pieces that are used again: a fast writer leaves no garbage. */

/** Large enough for any page, small enough that an idle database holds little. */
const SLAB_BYTES = 256 * 1024;
/** What is kept for the next tail; the rest is garbage. */
const KEPT_MAX = 32;

const free: Uint8Array[] = []; // of this thread, whatever database it was last used for

export function takeSlab(): Uint8Array {
  return free.pop() ?? new Uint8Array(SLAB_BYTES);
}

export function giveBack(slabs: readonly Uint8Array[]): void {
  for (const slab of slabs) if (free.length < KEPT_MAX) free.push(slab);
}

export function pagesPerSlab(pageSize: number): number {
  return SLAB_BYTES / pageSize;
}
