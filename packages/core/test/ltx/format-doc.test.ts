/** docs/format.md matches the code: its examples, keys and limits. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { createKernel } from '../../src/kernel/kernel.ts';
import { FLAG_NO_CHECKSUM, HEADER_SIZE_BYTES } from '../../src/ltx/header.ts';
import { MERGE_INPUTS_MAX } from '../../src/ltx/merge.ts';
import { PAGE_INDEX_BYTES_MAX } from '../../src/ltx/file.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { levelPrefix, rootOfURLPath } from '../../src/store/layout.ts';
import { headerWith, hex, readFile, writeFile } from '../support/ltx-files.ts';

const page = fs.readFileSync(new URL('../../../../docs/format.md', import.meta.url), 'utf8');
const kernel = createKernel();

const header = headerWith({
  flags: FLAG_NO_CHECKSUM,
  commit: 3,
  minTXID: toTXID(5),
  maxTXID: toTXID(5),
  timestampMs: Date.parse('2026-01-01T00:00:00.250Z'),
  walOffset: 32n,
  walSalt1: 0xffff_ffff,
  walSalt2: 0xffff_ffff,
  nodeID: 0x5ca1_ab1e_00c0_ffeen,
});
const two = new Uint8Array(512);
two.set(new TextEncoder().encode('page two'));
const pages = [
  { pgno: 2, bytes: two },
  { pgno: 3, bytes: new Uint8Array(512).fill(0x33) },
];

/** The bytes of an example. Each line must have the right offset. */
function example(encoding: string, start: number): Uint8Array {
  const block = new RegExp(`\`\`\`ltx ${encoding}\n([^\`]*)\`\`\``).exec(page)?.[1] ?? '';
  const lines = block.trim().split('\n');
  let at = start;
  const parts = lines.map((line) => {
    const [, offset, digits = ''] = /^@(\d+)([^#]*)/.exec(line) ?? [];
    expect(Number(offset), line).toBe(at);
    const bytes = hex(digits);
    at += bytes.length;
    return bytes;
  });
  return Uint8Array.from(parts.flatMap((bytes) => [...bytes]));
}

test('the example of blocks is written and read', () => {
  const bytes = example('block', 0);
  expect(bytes.length).toBe(214);
  expect(writeFile(kernel, header, pages, 'block').whole).toEqual(bytes);
  const file = readFile(kernel, [bytes]);
  expect(file.header).toEqual(header);
  expect(file.pages).toEqual(pages);
});

test('the example of frames is written', () => {
  const { whole } = writeFile(kernel, header, pages, 'frame');
  expect(whole.length).toBe(244);
  expect(whole.subarray(HEADER_SIZE_BYTES)).toEqual(example('frame', HEADER_SIZE_BYTES));
});

test('the keys match', () => {
  const rows = [...page.matchAll(/^\| (`[^`]*`|empty) \| `([^`]*)…` \| `([^`]*)…` \|$/gm)];
  expect(rows.length).toBe(4);
  for (const [, name = '', hexLevel = '', tree = ''] of rows) {
    const root = name === 'empty' ? '' : name.replaceAll('`', '');
    expect(levelPrefix('levels', root, 9)).toBe(hexLevel);
    expect(levelPrefix('tree', root, 9)).toBe(tree);
  }
  expect(['/db/', '/', ''].map(rootOfURLPath)).toEqual(['db', '', '.']);
});

test('the limits match', () => {
  expect(page).toContain(`${PAGE_INDEX_BYTES_MAX / 1024 / 1024} MiB`);
  expect(page).toContain(`${MERGE_INPUTS_MAX.toLocaleString('en')} files`);
});
