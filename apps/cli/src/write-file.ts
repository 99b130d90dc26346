/** Writes small files that, by default, only their owner can read: a configuration, a secret. */

import fs from 'node:fs';
import path from 'node:path';
import { writeFullySync } from '@sluice/core';

/** A configuration may contain a secret. */
const FILE_MODE = 0o600;

/**
 * Writes the whole file, or leaves nothing. Throws system errors: EEXIST if the file exists and must not be
 * replaced.
 */
export function writeTextFile(
  file: string,
  text: string,
  ifExists: 'refuse' | 'replace',
  mode: number = FILE_MODE,
): void {
  if (ifExists === 'refuse') {
    create(file, text, mode);
    return;
  }
  const temporary = `${file}.tmp`;
  fs.rmSync(temporary, { force: true }); // of an interrupted run
  create(temporary, text, mode);
  fs.renameSync(temporary, file);
  syncFolder(path.dirname(file));
}

function create(file: string, text: string, mode: number): void {
  const descriptor = fs.openSync(file, 'wx', mode);
  try {
    writeFullySync(descriptor, Buffer.from(text));
    fs.fsyncSync(descriptor);
  } catch (error) {
    fs.unlinkSync(file);
    throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
