/** Small files that people write: a configuration, a secret. */

import fs from 'node:fs';
import { readFullySync } from '@sluice/core';

/** Thousands of databases, or any key. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** Its text. Throws what the system says, and where it is longer than that: some files of a system have no end. */
export function readTextFile(file: string): string {
  const descriptor = fs.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1);
    const length = readFullySync(descriptor, bytes);
    if (length > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`);
    return bytes.toString('utf8', 0, length);
  } finally {
    fs.closeSync(descriptor);
  }
}
