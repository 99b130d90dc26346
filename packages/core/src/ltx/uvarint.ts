/**
 * Unsigned LEB128, as Go writes it: seven bits a byte, low group first, bit 7 set where more follow.
 *
 * Only the shortest form is accepted. No writer makes another, and with one form only, a file's
 * index follows from its page frames byte for byte.
 */

/** The longest that holds a safe integer: 53 bits by sevens. */
export const UVARINT_BYTES_MAX = 8;

/** Writes `value` (0 to 2^53-1) at `offset`; gives the offset after it. */
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

/** Reads varints one after the other from bytes that are all there. */
export class UvarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get restBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** RangeError where the bytes end, above 2^53-1, or for a form that is not the shortest. */
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
