/** Writes past the page cache: the file is the same, whatever is refused. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WindowKernel } from '../../src/kernel/window-kernel.ts';
import { openDirect } from '../../src/restore/decode/direct-output.ts';
import { writeWindow } from '../../src/restore/decode/write-pages.ts';
import { randomFrom, seedOf } from '../support/random.ts';
import { temporaryFolder } from './temporary.ts';

const PAGE_SIZE = 512;
const WINDOW_PAGES = 64;
const WINDOW_BYTES = PAGE_SIZE * WINDOW_PAGES;

function openFile(): { readonly name: string; readonly descriptor: number } {
  const name = path.join(temporaryFolder(), 'output');
  const descriptor = fs.openSync(name, 'wx+');
  onTestFinished(() => fs.closeSync(descriptor));
  return { name, descriptor };
}

/** Three windows, of which the last one ends anywhere. */
function someWindows(): { readonly windows: Uint8Array[]; readonly all: Buffer } {
  const seed = seedOf();
  console.log(`SLUICE_SEED=${seed}`);
  const random = randomFrom(seed);
  const windows = [WINDOW_PAGES, WINDOW_PAGES, random.int(1, WINDOW_PAGES)].map((pages) => {
    const { pages: bytes } = new WindowKernel(PAGE_SIZE, WINDOW_PAGES);
    for (let at = 0; at < bytes.length; at += 7) bytes[at] = random.int(0, 255);
    return bytes.subarray(0, pages * PAGE_SIZE);
  });
  return { windows, all: Buffer.concat(windows) };
}

test('windows are written whole where direct writes are possible, and where they are not', async () => {
  const { windows, all } = someWindows();
  const { name, descriptor: cached } = openFile();
  const direct = await openDirect(cached);
  for (const [index, bytes] of windows.entries()) {
    await writeWindow({ cached, direct }, bytes, index * WINDOW_BYTES);
  }
  if (direct !== undefined) fs.closeSync(direct);
  expect(fs.readFileSync(name).equals(all)).toBe(true);
});

test('what a direct write refuses goes through the cache', async () => {
  const { windows, all } = someWindows();
  const { name, descriptor: cached } = openFile();
  const refusing = fs.openSync(name, 'r');
  for (const [index, bytes] of windows.entries()) {
    await writeWindow({ cached, direct: refusing }, bytes, index * WINDOW_BYTES);
  }
  fs.closeSync(refusing);
  expect(fs.readFileSync(name).equals(all)).toBe(true);
});

test('if both refuse, the error is that of the file system', async () => {
  const { windows } = someWindows();
  const { name } = openFile();
  const refusing = fs.openSync(name, 'r');
  const written = writeWindow({ cached: refusing, direct: refusing }, windows[0] as Uint8Array, 0);
  await expect(written).rejects.toMatchObject({ code: 'RESTORE_OUTPUT', message: /EBADF/ });
  fs.closeSync(refusing);
});
