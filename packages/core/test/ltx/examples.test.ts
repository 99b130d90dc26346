import { describe, expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { merge } from '../../src/ltx/merge.ts';
import { decodePageIndex } from '../../src/ltx/page-index.ts';
import { locatePageIndex } from '../../src/ltx/file.ts';
import { A, A_FRAME, B, C, D, EXAMPLES, knownBlocks } from '../support/ltx-examples.ts';
import { forge, readFile, writeFile } from '../support/ltx-files.ts';
import { poisonOldResults } from '../support/ltx-poisoning-kernel.ts';
import { concat, referenceKernel } from '../support/ltx-reference-kernel.ts';

const KERNELS = [
  { kind: 'the kernel', kernel: createKernel() },
  { kind: "the reference with the examples' blocks", kernel: referenceKernel(knownBlocks) },
  { kind: 'a kernel that overwrites old results', kernel: poisonOldResults(createKernel()) },
];
const UNTRACKED = EXAMPLES.filter((example) => example !== D);

describe.each(KERNELS)('with $kind', ({ kernel }) => {
  test.each(EXAMPLES)('example $name is read', (example) => {
    const { header, pages, trailer, pageCount, sizeBytes } = readFile(kernel, [example.bytes]);
    expect(header).toEqual(example.header);
    expect(pages).toEqual(example.pages);
    expect(trailer.postApplyChecksum).toBe(example.postApplyChecksum);
    expect(trailer.fileChecksum).toBe(example.fileChecksum);
    expect(pageCount).toBe(example.pages.length);
    expect(sizeBytes).toBe(example.bytes.length);
  });

  test.each(UNTRACKED)('example $name is written, byte for byte', (example) => {
    const { header, pages, encoding, bytes } = example;
    const written = writeFile(kernel, header, pages, encoding, 1);
    expect(written.whole).toEqual(bytes);
    expect(written.fileChecksum).toBe(example.fileChecksum);
    expect(written.sizeBytes).toBe(bytes.length);
    expect(written.pageCount).toBe(pages.length);
  });

  test('A and B merge into C, byte for byte', async () => {
    const chunks = await Array.fromAsync(merge(kernel, [body(A.bytes), body(B.bytes)]));
    expect(concat(chunks)).toEqual(C.bytes);
  });

  test('A as frames and B merge into C: both encodings can be read', async () => {
    const chunks = await Array.fromAsync(merge(kernel, [body(A_FRAME.bytes), body(B.bytes)]));
    expect(concat(chunks)).toEqual(C.bytes);
  });
});

test.each(EXAMPLES)('the description matches example $name, byte for byte', (example) => {
  const { header, pages, encoding, bytes, postApplyChecksum } = example;
  const block = (page: { bytes: Uint8Array }): Uint8Array | undefined => knownBlocks(page.bytes);
  expect(forge({ header, pages, encoding, block, postApplyChecksum })).toEqual(bytes);
});

test('D as frames has the known size and checksum', () => {
  const { header, pages, postApplyChecksum } = D;
  const block = (page: { bytes: Uint8Array }): Uint8Array | undefined => knownBlocks(page.bytes);
  const bytes = forge({ header, pages, encoding: 'frame', block, postApplyChecksum });
  expect(bytes.length).toBe(240);
  const { trailer } = readFile(createKernel(), [bytes]);
  expect(trailer.fileChecksum).toBe(0xa54800ea3117d56cn);
  expect(entriesOf(bytes)).toEqual([
    { pgno: 1, offset: 100, sizeBytes: 51 },
    { pgno: 2, offset: 151, sizeBytes: 51 },
  ]);
});

test('the page index of D is known', () => {
  expect(entriesOf(D.bytes)).toEqual([
    { pgno: 1, offset: 100, sizeBytes: 36 },
    { pgno: 2, offset: 136, sizeBytes: 36 },
  ]);
});

function entriesOf(bytes: Uint8Array): unknown[] {
  const { start, end } = locatePageIndex(bytes, bytes.length);
  return [...decodePageIndex(bytes.subarray(start, end))];
}

async function* body(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}
