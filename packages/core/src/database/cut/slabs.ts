/** A pool of memory for pages, so that a fast writer creates no garbage. */

/** Large enough for any page, small enough that an idle database holds little. */
const SLAB_BYTES = 256 * 1024;
/** Maximum number of free slabs in the pool. The rest is left to the garbage collector. */
const FREE_MAX = 32;

const free: Uint8Array[] = []; // one pool per thread, for all its databases

export function takeSlab(): Uint8Array {
  return free.pop() ?? new Uint8Array(SLAB_BYTES);
}

export function releaseSlabs(slabs: readonly Uint8Array[]): void {
  for (const slab of slabs) if (free.length < FREE_MAX) free.push(slab);
}

export function pagesPerSlab(pageSize: number): number {
  return SLAB_BYTES / pageSize;
}
