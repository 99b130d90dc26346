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

  const inFiles = new Outer(files);
  const inStaging = new Outer(staging);
  const inDestinations = new Outer(destinations);
  const inLevels = new Outer(destinations, (real) =>
    allLevelsPrefix('tree', real).replace(/\/$/, ''),
  );
  for (const side of SUFFIXES) {
    const inSide = new Outer(files, (real) => real + side);
    for (const folder of [...destinations, ...staging]) {
      for (const file of inSide.of(folder)) report(folder, `is the ${side} file of`, file);
    }
  }
  for (const destination of destinations) {
    for (const folder of inStaging.of(destination)) {
      report(destination, 'is inside the staging folder of', folder);
    }
    for (const file of inFiles.of(destination)) report(destination, 'is the database', file);
    for (const other of inLevels.of(destination)) {
      report(destination, 'is inside the levels of', other);
    }
  }
  for (const folder of staging) {
    for (const destination of inDestinations.of(folder)) {
      if (destination.real !== folder.real) {
        report(destination, 'contains the staging folder of', folder);
      }
    }
    for (const place of inStaging.of(folder)) {
      if (folder.real !== place.real) report(folder, 'is inside the staging folder of', place);
    }
    for (const file of inFiles.of(folder)) {
      report(folder, 'cannot be the staging folder: it is at the path of the database of', file);
    }
  }
  for (const file of files) {
    for (const folder of inStaging.of(file)) {
      if (file.real !== folder.real) report(file, 'is inside the staging folder of', folder);
    }
  }
}

/** Places by path. Thousands of databases would result in millions of pairs, so that each place is not compared with each. */
class Outer {
  readonly #places = new Map<string, Place[]>();

  /** `pathOf`: the path of a place that counts here. Default: its own. */
  constructor(places: readonly Place[], pathOf = (real: string): string => real) {
    for (const place of places) {
      const real = pathOf(place.real);
      const known = this.#places.get(real);
      if (known === undefined) this.#places.set(real, [place]);
      else known.push(place);
    }
  }

  /** The places that `inner` equals or is below. */
  of(inner: Place): Place[] {
    const found: Place[] = [];
    for (let folder = inner.real; ; folder = path.dirname(folder)) {
      found.push(...(this.#places.get(folder) ?? []));
      if (folder === path.dirname(folder)) return found;
    }
  }
}

function toPlace(at: Path, shown: string): Place {
  return { at, shown, real: realPathOf(shown) };
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
