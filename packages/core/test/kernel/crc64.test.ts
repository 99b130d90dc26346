import * as fc from 'fast-check';
import jsCRC from 'js-crc/models';
import { describe, expect, test } from 'vitest';
import { combineCRC64, createKernel } from '../../src/kernel/kernel.ts';
import { referenceCRC64 } from './reference.ts';
import { anyBytes, incompressible } from './samples.ts';

const kernel = createKernel();

describe('CRC-64/ISO', () => {
  test('the check value matches the standard', () => {
    expect(kernel.crc64(Buffer.from('123456789'))).toBe(0xb90956c775a41001n);
  });

  test('an empty input does not change the checksum', () => {
    expect(kernel.crc64(new Uint8Array(0))).toBe(0n);
    expect(kernel.crc64(new Uint8Array(0), 42n)).toBe(42n);
  });

  test.each([
    [1, 512, 0xe4e4aaa102377eeen],
    [2, 512, 0xc9c9554231044dddn],
    [3, 512, 0xc2d2001cdfeaa333n],
    [0x32, 1024, 0xe0d53ff6f3d08215n],
  ])('a page of bytes %i has the checksum that Litestream stores', (byte, size, expected) => {
    const pgno = Uint8Array.of(0, 0, 0, byte <= 3 ? byte : 1);
    const crc = kernel.crc64(new Uint8Array(size).fill(byte), kernel.crc64(pgno));
    expect(crc | (1n << 63n)).toBe(expected);
  });

  test.each([512, 1024, 4096])('a page of %i zeros has its known checksum', (size) => {
    const known = {
      512: 0xefb1f44fecd99000n,
      1024: 0xace3e492397a28bfn,
      4096: 0xd9328f592d9e733dn,
    };
    const crc = kernel.crc64(new Uint8Array(4 + size).fill(1, 3, 4));
    expect(crc | (1n << 63n)).toBe(known[size as keyof typeof known]);
  });

  test('inputs of 0 to 400 bytes match the reference implementation', () => {
    const bytes = incompressible(400);
    for (let length = 0; length <= 400; length++) {
      const part = bytes.subarray(400 - length); // also at odd addresses
      expect(kernel.crc64(part)).toBe(referenceCRC64(part));
    }
  });

  test('the result matches another package', () => {
    fc.assert(
      fc.property(anyBytes(3000), (bytes) => {
        expect(kernel.crc64(bytes)).toBe(BigInt(`0x${jsCRC.crc_64_go_iso(bytes)}`));
      }),
    );
  });

  test('input can be hashed in parts', () => {
    fc.assert(
      fc.property(anyBytes(3000), fc.nat(3000), (bytes, cut) => {
        const first = kernel.crc64(bytes.subarray(0, cut));
        expect(kernel.crc64(bytes.subarray(cut), first)).toBe(referenceCRC64(bytes));
      }),
    );
  });

  test('input larger than the kernel memory is hashed completely', () => {
    const bytes = incompressible(2_500_001);
    let crc = 0n;
    for (let at = 0; at < bytes.length; at += 1009)
      crc = kernel.crc64(bytes.subarray(at, at + 1009), crc);
    expect(kernel.crc64(bytes)).toBe(crc);
    expect(kernel.crc64(bytes.subarray(0, 65_536))).toBe(referenceCRC64(bytes.subarray(0, 65_536)));
  });

  test('bytes in kernel memory are hashed in place', () => {
    kernel.input.set(incompressible(1000));
    const view = kernel.input.subarray(3, 777);
    expect(kernel.crc64(view)).toBe(referenceCRC64(view));
  });
});

describe('CRCs of parts', () => {
  test('combine to the CRC of the whole', () => {
    fc.assert(
      fc.property(anyBytes(2000), anyBytes(2000), (a, b) => {
        const whole = referenceCRC64(Buffer.concat([a, b]));
        expect(combineCRC64(referenceCRC64(a), referenceCRC64(b), b.length)).toBe(whole);
      }),
    );
  });

  test('combine over lengths beyond 32 bits', () => {
    // 2^40 zeros, by doubling 40 times.
    let zeros = kernel.crc64(new Uint8Array(1));
    for (let exponent = 0; exponent < 40; exponent++)
      zeros = combineCRC64(zeros, zeros, 2 ** exponent);
    const a = kernel.crc64(Buffer.from('a'));
    const b = kernel.crc64(Buffer.from('b'));
    const left = combineCRC64(combineCRC64(a, zeros, 2 ** 40), b, 1);
    const right = combineCRC64(a, combineCRC64(zeros, b, 1), 2 ** 40 + 1);
    expect(left).toBe(right);
  });
});
