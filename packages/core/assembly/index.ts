// The codec kernel's entry: what src/kernel/wasm-kernel.ts calls, and where it finds things.
// Blocks and xxh32 alone are for the tests: the kernel itself takes batches.

import { fillPatterns } from './copy';
import { MEMORY_END, MEMORY_PAGES } from './memory';

export {
  BATCH_BYTES_MAX,
  CHECKSUMS,
  COMMITS,
  INPUT,
  INPUT_BYTES,
  OUTPUT,
  PGNOS,
  RESULT,
  SIZES,
} from './memory';
export { crc64Shift, crc64Update } from './crc64';
export { compressBlock } from './lz4-compress';
export { decompressBlock } from './lz4-decompress';
export { decodePages, encodePages } from './pages';
export { scanFrames, walChecksum } from './wal';
export { xxh32 } from './xxh32';
export { decodeWindow, WINDOW } from './window';
export { hashPages } from './xxh64';

if (MEMORY_END > MEMORY_PAGES << 16) ERROR('memory.ts needs more than 38 pages of memory');

fillPatterns();
