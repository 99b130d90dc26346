/** Ranges in HTTP headers. */

import type { ByteRange } from '../client.ts';

/** HTTP ranges include the end. Core never requests an empty range. */
export function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${start}-${end === undefined ? '' : end - 1}`;
}

/** The size of the whole object, from "bytes 0-9/100"; undefined without such a header. */
export function sizeOfContentRange(header: string | null | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(header ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}
