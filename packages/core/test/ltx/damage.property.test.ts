/** Every damaged file is refused with a code: no crash, no hang, no wrong page. */

import { describe, expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { readPageIndex } from '../../src/ltx/file.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { EXAMPLES } from '../support/ltx-examples.ts';
import { headerWith, readFile, writeFile } from '../support/ltx-files.ts';
import { randomFrom } from '../support/random.ts';

const kernel = createKernel();

function noise(size: number): Uint8Array {
  const random = randomFrom(size);
  return Uint8Array.from({ length: size }, (_, at) => (at % 3 === 0 ? random.int(0, 255) : 0x20));
}

const FILES: { name: string; bytes: Uint8Array }[] = [
  ...EXAMPLES.map(({ name, bytes }) => ({ name: `example ${name}`, bytes })),
  ...(['block', 'frame'] as const).map((encoding) => ({
    name: `two pages of noise, ${encoding}`,
    bytes: writeFile(
      kernel,
      headerWith({ minTXID: toTXID(2), maxTXID: toTXID(4), commit: 300, nodeID: 99n }),
      [
        { pgno: 7, bytes: noise(512) },
        { pgno: 290, bytes: noise(512).toReversed() },
      ],
      encoding,
    ).whole,
  })),
];

/** 'refused', or the decoded pages. */
function outcome(bytes: Uint8Array): string {
  try {
    const { header, pages, trailer } = readFile(kernel, [bytes]);
    return JSON.stringify([header, pages, trailer], (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  } catch (error) {
    if (isError(error) && error.code.startsWith('LTX_')) return 'refused';
    throw error;
  }
}

describe.each(FILES)('$name', ({ bytes }) => {
  const right = outcome(bytes);

  test('with any bit flipped is refused, or has the same pages', () => {
    expect(right).not.toBe('refused');
    let same = 0;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const found = outcome(damaged);
      if (found === 'refused') continue;
      // A changed LZ4 block may decode to the same page: the checksum covers the page.
      expect(found).toBe(right);
      same += 1;
    }
    expect(same).toBeLessThan(bytes.length / 4);
  });

  test('is refused if it is cut off, or if bytes are inserted or removed anywhere', () => {
    for (let at = 0; at < bytes.length; at++) {
      expect(outcome(bytes.subarray(0, at))).toBe('refused');
      if (at > 0) expect(outcome(bytes.subarray(at))).toBe('refused');
      for (const byte of [0x00, 0x01, 0x80, 0xff]) {
        const longer = new Uint8Array(bytes.length + 1);
        longer.set(bytes.subarray(0, at));
        longer[at] = byte;
        longer.set(bytes.subarray(at), at + 1);
        expect(outcome(longer)).toBe('refused');
      }
      const shorter = new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
      expect(outcome(shorter)).toBe('refused');
    }
  });

  test('has an index that is refused or read with any bit of the end flipped', async () => {
    for (let bit = Math.max(0, bytes.length - 60) * 8; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = async (start: number, end: number): Promise<Uint8Array> =>
        damaged.subarray(start, end);
      const code = await indexOutcome(read, damaged.length);
      expect(['read', 'LTX_INVALID', 'LTX_TRUNCATED', 'LTX_UNSUPPORTED']).toContain(code);
    }
  });
});

async function indexOutcome(
  read: (start: number, end: number) => Promise<Uint8Array>,
  sizeBytes: number,
): Promise<string> {
  try {
    for (const { offset } of await readPageIndex(read, sizeBytes))
      expect(offset).toBeLessThan(sizeBytes);
    return 'read';
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
}
