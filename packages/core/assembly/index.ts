// The codec kernel: what src/kernel/wasm-kernel.ts calls. One call takes a batch.

export { crc64, shiftCRC64 } from './crc64';
export {
  consumedAfter,
  countAfter,
  crcAfter,
  decodePages,
  encodePages,
} from './frames';
export { capacity, checksumsAt, inputAt, outputAt, pgnosAt, sizesAt } from './memory';
export { scanFrames, sum0, sum1, walChecksum } from './wal';
