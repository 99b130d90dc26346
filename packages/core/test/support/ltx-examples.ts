/**
 * Files written by Litestream and the ltx library, byte for byte, with their decoded contents. Their
 * compressed blocks are available to a kernel without a compressor through `knownBlocks`.
 */

import type { PageEncoding } from '../../src/kernel/kernel.ts';
import type { LTXHeader } from '../../src/ltx/header.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { headerWith, hex, type Page } from './ltx-files.ts';
import type { KnownBlocks } from './ltx-reference-kernel.ts';

export interface Example {
  readonly name: string;
  readonly encoding: PageEncoding;
  readonly header: LTXHeader;
  readonly pages: readonly Page[];
  readonly bytes: Uint8Array;
  readonly postApplyChecksum: bigint;
  readonly fileChecksum: bigint;
}

const ONES = new Uint8Array(512).fill(0x31);
const RAMP = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
const RAMP_HEX = Buffer.from(RAMP.subarray(0, 256)).toString('hex');

const ONES_BLOCK = '1f310100ffda0002000002 00b0 3131313131313131313131';
const RAMP_BLOCK = `fff1 ${RAMP_HEX} 0001 db 00 0001 e0 f2f3f4f5f6f7f8f9fafbfcfdfeff`;
const TWOS_BLOCK = '1f320100ffffffdc000200000200b03232323232323232323232';
const THREES_BLOCK = '1f330100ffffffdc000200000200b03333333333333333333333';

const BLOCKS: readonly (readonly [Uint8Array, Uint8Array])[] = [
  [ONES, hex(ONES_BLOCK)],
  [RAMP, hex(RAMP_BLOCK)],
  [new Uint8Array(1024).fill(0x32), hex(TWOS_BLOCK)],
  [new Uint8Array(1024).fill(0x33), hex(THREES_BLOCK)],
];

/** The compressed block of a page in the examples. */
export const knownBlocks: KnownBlocks = (page) =>
  BLOCKS.find(([bytes]) => Buffer.compare(bytes, page) === 0)?.[1];

const FIRST_HEADER = `
  4c545831 00000002 00000200 00000001 0000000000000001 0000000000000001
  0000018bcfe56800 0000000000000000 0000000000000020 0000000000000218
  11223344 55667788 0000000000000000 0000000000000000000000000000000000000000`;

const first = headerWith({
  walOffset: 32n,
  walSize: 536n,
  walSalt1: 0x11223344,
  walSalt2: 0x55667788,
});
const second = headerWith({
  ...first,
  commit: 2,
  minTXID: toTXID(2),
  maxTXID: toTXID(2),
  timestampMs: 1_700_000_001_000,
  walOffset: 568n,
});

/** The first file of a Litestream bucket, in block encoding. */
export const A: Example = {
  name: 'A, the first file, as blocks',
  encoding: 'block',
  header: first,
  pages: [{ pgno: 1, bytes: ONES }],
  postApplyChecksum: 0n,
  fileChecksum: 0x92fbbca891e49422n,
  bytes: hex(`${FIRST_HEADER}
    00000001 0001 00000018 ${ONES_BLOCK}
    000000000000 01642200 0000000000000004
    0000000000000000 92fbbca891e49422`),
};

/** The same file as written by Litestream 0.5.0 to 0.5.15, in frame encoding. */
export const A_FRAME: Example = {
  ...A,
  name: "A', the same as frames",
  encoding: 'frame',
  fileChecksum: 0xf1da7ef275b7bd00n,
  bytes: hex(`${FIRST_HEADER}
    00000001 0000 04224d18 64 40 a7 18000000 ${ONES_BLOCK} 00000000 5e2d2198
    000000000000 01643100 0000000000000004
    0000000000000000 f1da7ef275b7bd00`),
};

/** The second file: it adds a page, and the database has grown. */
export const B: Example = {
  name: 'B, an increment',
  encoding: 'block',
  header: second,
  pages: [{ pgno: 2, bytes: RAMP }],
  postApplyChecksum: 0n,
  fileChecksum: 0xf22cb2da7c5c271bn,
  bytes: hex(`
    4c545831 00000002 00000200 00000002 0000000000000002 0000000000000002
    0000018bcfe56be8 0000000000000000 0000000000000238 0000000000000218
    11223344 55667788 0000000000000000 0000000000000000000000000000000000000000
    00000002 0001 00000117 ${RAMP_BLOCK}
    000000000000 0264a10200 0000000000000005
    0000000000000000 f22cb2da7c5c271b`),
};

/** A and B merged. */
export const C: Example = {
  name: 'C, A and B merged',
  encoding: 'block',
  header: headerWith({
    commit: 2,
    maxTXID: toTXID(2),
    timestampMs: second.timestampMs,
  }),
  pages: [...A.pages, ...B.pages],
  postApplyChecksum: 0n,
  fileChecksum: 0xa4572453159cde7en,
  bytes: hex(`
    4c545831 00000002 00000200 00000002 0000000000000001 0000000000000002
    0000018bcfe56be8 0000000000000000 0000000000000000 0000000000000000
    00000000 00000000 0000000000000000 0000000000000000000000000000000000000000
    00000001 0001 00000018 ${ONES_BLOCK}
    00000002 0001 00000117 ${RAMP_BLOCK}
    000000000000 016422028601a10200 0000000000000009
    0000000000000000 a4572453159cde7e`),
};

/** A snapshot with a database checksum, from the tests of the ltx library. Sluice never writes such files. */
export const D: Example = {
  name: 'D, a snapshot with database checksums',
  encoding: 'block',
  header: headerWith({ flags: 0, pageSize: 1024, commit: 2, timestampMs: 1000 }),
  pages: [
    { pgno: 1, bytes: new Uint8Array(1024).fill(0x32) },
    { pgno: 2, bytes: new Uint8Array(1024).fill(0x33) },
  ],
  postApplyChecksum: 0xe1899b6d587aaaaan,
  fileChecksum: 0xf86fcff36247df82n,
  bytes: hex(`
    4c545831 00000000 00000400 00000002 0000000000000001 0000000000000001
    00000000000003e8 0000000000000000 0000000000000000 0000000000000000
    00000000 00000000 0000000000000000 0000000000000000000000000000000000000000
    00000001 0001 0000001a ${TWOS_BLOCK}
    00000002 0001 0000001a ${THREES_BLOCK}
    000000000000 0164240288012400 0000000000000008
    e1899b6d587aaaaa f86fcff36247df82`),
};

export const EXAMPLES: readonly Example[] = [A, A_FRAME, B, C, D];
