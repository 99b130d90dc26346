import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { expect, test } from 'vitest';

const FOLDER = path.join(import.meta.dirname, '..', 'dist', 'page');
const COMPRESSED_BYTES_MAX = 150_000;

test('the page has less than 150 kB, compressed', () => {
  const files = fs
    .readdirSync(FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const sizes = files.map((file) => zlib.gzipSync(fs.readFileSync(file), { level: 9 }).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(files.length).toBeGreaterThanOrEqual(4);
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(COMPRESSED_BYTES_MAX);
});
