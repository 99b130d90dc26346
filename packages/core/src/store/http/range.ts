/** Ranges as HTTP writes them. */

import type { ByteRange } from '../client.ts';

/** Half open to closed. Core never asks for an empty range. */
export function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end === undefined ? '' : end - 1}`;
}

/** The size of the whole object, of "bytes 0-9/100"; undefined where there is no such header. */
export function sizeOfContentRange(header: string | null | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(header ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}
