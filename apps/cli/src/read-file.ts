/** Reads small text files: a configuration, a secret. */

import fs from 'node:fs';
import { readFullySync } from '@sluice/core';

/** Enough for a configuration of thousands of databases, or any key. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** Throws system errors, and an error for larger files: some special files never end. */
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
