/** Whether there is a database at a path, and what to say if there is not. */

import fs from 'node:fs';
import path from 'node:path';
import type { Absence } from './events.ts';

/** undefined if there is a database to follow. */
export function whyAbsent(file: string): Absence | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat !== undefined) return stat.size === 0 ? 'empty' : undefined;
  return fs.existsSync(path.dirname(file)) ? 'no file' : 'no folder';
}

export function describeAbsence(file: string, absence: Absence): string {
  switch (absence) {
    case 'no folder':
      return `${file} does not exist, and its folder does not exist: check the path`;
    case 'no file':
      return `${file} does not exist yet`;
    case 'empty':
      return `${file} is empty`;
  }
}
