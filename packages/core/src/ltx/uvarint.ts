/**
 * Unsigned LEB128, as in Go: seven bits per byte, low group first, bit 7 set if more bytes follow.
 *
 * Only the shortest form is accepted. No writer produces any other, and with one form only, the
 * index of a file follows byte for byte from its page frames.
 */

/** The longest encoding of a safe integer: 53 bits, seven per byte. */
export const UVARINT_BYTES_MAX = 8;

/** Writes `value` (0 to 2^53-1) at `offset`; returns the offset after it. */
export function encodeUvarint(target: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** Reads consecutive varints from a complete byte array. */
export class UvarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get restBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /**
   * RangeError if the bytes end, for values above 2^53-1, and for a form that is not the shortest.
   */
  take(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < UVARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError('it ends within a number');
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) {
        scale *= 0x80;
        continue;
      }
      if (byte === 0 && scale > 1) throw new RangeError('a number has more bytes than it needs');
      if (!Number.isSafeInteger(value)) break;
      return value;
    }
    throw new RangeError('it holds a number above 2^53-1');
  }
}
