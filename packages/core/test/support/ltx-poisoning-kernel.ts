/** A kernel wrapper that overwrites the results of the previous call, to find callers that still use them. */

import type { Kernel } from '../../src/kernel/kernel.ts';

export interface PoisoningKernel extends Kernel {
  /** Number of calls of `decodePages`. */
  readonly decodeCalls: number;
}

export function poisonOldResults(kernel: Kernel): PoisoningKernel {
  let results: (Uint8Array | Uint32Array)[] = [];
  let decodeCalls = 0;
  const poison = (): void => {
    for (const view of results) view.fill(0xee);
    results = [];
  };
  const track = <T extends Uint8Array | Uint32Array>(view: T): T => {
    const copy = view.slice() as T;
    results.push(copy);
    return copy;
  };
  return {
    input: kernel.input,
    get decodeCalls() {
      return decodeCalls;
    },
    crc64: (bytes, crc) => {
      const sum = kernel.crc64(bytes, crc);
      poison();
      return sum;
    },
    hashPages: (...pages) => {
      const hashes = kernel.hashPages(...pages);
      poison();
      return track(hashes);
    },
    encodePages: (...pages) => {
      const { bytes, sizes, crc } = kernel.encodePages(...pages);
      poison();
      return { bytes: track(bytes), sizes: track(sizes), crc };
    },
    decodePages: (...frames) => {
      decodeCalls += 1;
      const decoded = kernel.decodePages(...frames);
      poison();
      const { pgnos, pages, sizes } = decoded;
      return { ...decoded, pgnos: track(pgnos), pages: track(pages), sizes: track(sizes) };
    },
    scanFrames: (...frames) => kernel.scanFrames(...frames),
    walChecksum: (...bytes) => kernel.walChecksum(...bytes),
  };
}
