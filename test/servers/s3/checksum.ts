/** The checksums a client may send with a body: x-amz-checksum-*, in a header or in a trailer. */

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface Checksum {
  update(bytes: Uint8Array): void;
  /** Base64, as in the header. */
  digest(): string;
}

const PREFIX = 'x-amz-checksum-';

/** The checksum for header or trailer `name`, or undefined if it is not supported. */
export function checksumOf(name: string): Checksum | undefined {
  switch (name) {
    case `${PREFIX}crc32`:
      return new CRC((bytes, value) => crc32(bytes, value));
    case `${PREFIX}crc32c`:
      return new CRC(crc32c);
    case `${PREFIX}sha1`:
      return new Hash('sha1');
    case `${PREFIX}sha256`:
      return new Hash('sha256');
    default:
      return undefined;
  }
}

/** Whether `name` is the name of a checksum, supported or not. */
export function isChecksumName(name: string): boolean {
  return name.startsWith(PREFIX) && !NOT_CHECKSUMS.includes(name);
}

const NOT_CHECKSUMS = [`${PREFIX}mode`, `${PREFIX}algorithm`, `${PREFIX}type`];

class Hash implements Checksum {
  readonly #hash;

  constructor(algorithm: string) {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): string {
    return this.#hash.digest('base64');
  }
}

class CRC implements Checksum {
  readonly #next: (bytes: Uint8Array, value: number) => number;
  #value: number = 0;

  constructor(next: (bytes: Uint8Array, value: number) => number) {
    this.#next = next;
  }

  update(bytes: Uint8Array): void {
    this.#value = this.#next(bytes, this.#value);
  }

  digest(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value >>> 0);
    return bytes.toString('base64');
  }
}

/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, bit by bit over a table of 256. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function crc32c(bytes: Uint8Array, start: number): number {
  let value = ~start;
  for (const byte of bytes) value = (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}
