/**
 * Finds harmful overlaps between folders, after resolving symbolic links:
 *
 *  a destination inside a staging folder            its files would be overwritten or removed
 *  a staging folder inside a destination            it would be copied or removed with the destination
 *  a destination at the path of a database          a file is not a folder
 *  a destination or staging folder at the path      the application could not create the file
 *    of a -wal, -shm or -journal
 *  a destination inside the levels of another       its files would be listed as the other's
 *  a staging folder inside another staging folder
 *  a database inside a staging folder, or a staging folder at the path of a database
 */

import fs from 'node:fs';
import path from 'node:path';
import { completeOptions } from '@sluice/core';
import { allLevelsPrefix } from '@sluice/core';
import type { PlacedDatabase } from './clashes.ts';
import { spell, type Path, type Problems } from './problems.ts';

/** Suffixes of the files that SQLite creates next to a database. */
const SUFFIXES = ['-wal', '-shm', '-journal'];

interface Place {
  /** Its position in the configuration. */
  readonly at: Path;
  readonly shown: string;
  /** Its path with symbolic links resolved. */
  readonly real: string;
}

export function findOverlaps(all: readonly PlacedDatabase[], problems: Problems): void {
  // Skip a database at the root: it is refused elsewhere, and would contain everything.
  const databases = all.filter(({ config }) => config.options.path !== path.resolve('/'));
  // Equal paths are found in clashes.ts.
  const files = databases.map(({ config, path: at }) => toPlace(at, config.options.path));
  const staging = databases.map(({ config, path: at }) =>
    toPlace(at, completeOptions(config.options).metaPath),
  );
  const destinations = databases.flatMap(({ replicas }) =>
    replicas.flatMap(({ path: at, destination: { folder } }) =>
      folder === undefined ? [] : [toPlace(at, folder)],
    ),
  );
  const report = ({ at, shown }: Place, how: string, { at: other, shown: where }: Place): void =>
    problems.add(
      at,
      `${spell(at)}: ${shown} ${how} ${spell(other)}, ${where}: choose another folder`,
    );

  for (const folder of [...destinations, ...staging]) {
    for (const file of files) {
      const side = SUFFIXES.find((suffix) => isIn(folder, { ...file, real: file.real + suffix }));
      if (side !== undefined) report(folder, `is the ${side} file of`, file);
    }
  }
  for (const destination of destinations) {
    for (const folder of staging) {
      if (isIn(destination, folder)) report(destination, 'is inside the staging folder of', folder);
      else if (isIn(folder, destination))
        report(destination, 'contains the staging folder of', folder);
    }
    for (const file of files)
      if (isIn(destination, file)) report(destination, 'is the database', file);
    for (const other of destinations) {
      const levels = { ...other, real: allLevelsPrefix('tree', other.real).replace(/\/$/, '') };
      if (isIn(destination, levels)) report(destination, 'is inside the levels of', other);
    }
  }
  for (const [index, folder] of staging.entries()) {
    for (const [other, place] of staging.entries()) {
      if (index !== other && folder.real !== place.real && isIn(folder, place)) {
        report(folder, 'is inside the staging folder of', place);
      }
    }
    for (const file of files) {
      if (isIn(folder, file))
        report(folder, 'cannot be the staging folder: it is at the path of the database of', file);
      else if (isIn(file, folder)) report(file, 'is inside the staging folder of', folder);
    }
  }
}

function toPlace(at: Path, shown: string): Place {
  return { at, shown, real: realPathOf(shown) };
}

/** Whether `inner` equals `outer` or is below it. */
function isIn(inner: Place, outer: Place): boolean {
  // Compares text, because thousands of databases result in millions of pairs.
  const folder = outer.real.endsWith(path.sep) ? outer.real : outer.real + path.sep;
  return inner.real === outer.real || inner.real.startsWith(folder);
}

/** For a missing file, resolves the links of its existing parent. */
export function realPathOf(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realPathOf(parent), path.basename(file));
  }
}
