/** A kernel that holds its callers to the contract: at each call, what the one before gave is gone. */

import type { Kernel } from '../../src/kernel/kernel.ts';

export interface ForgetfulKernel extends Kernel {
  /** How often pages were asked to be decoded. */
  readonly decodeCalls: number;
}

export function forgetful(kernel: Kernel): ForgetfulKernel {
  let given: (Uint8Array | Uint32Array)[] = [];
  let decodeCalls = 0;
  const forget = (): void => {
    for (const view of given) view.fill(0xee);
    given = [];
  };
  const give = <T extends Uint8Array | Uint32Array>(view: T): T => {
    const copy = view.slice() as T;
    given.push(copy);
    return copy;
  };
  return {
    input: kernel.input,
    get decodeCalls() {
      return decodeCalls;
    },
    crc64: (bytes, crc) => {
      const sum = kernel.crc64(bytes, crc);
      forget();
      return sum;
    },
    encodePages: (...pages) => {
      const { bytes, sizes, crc } = kernel.encodePages(...pages);
      forget();
      return { bytes: give(bytes), sizes: give(sizes), crc };
    },
    decodePages: (...frames) => {
      decodeCalls += 1;
      const decoded = kernel.decodePages(...frames);
      forget();
      const { pgnos, pages, sizes } = decoded;
      return { ...decoded, pgnos: give(pgnos), pages: give(pages), sizes: give(sizes) };
    },
    scanFrames: (...frames) => kernel.scanFrames(...frames),
    walChecksum: (...bytes) => kernel.walChecksum(...bytes),
  };
}
