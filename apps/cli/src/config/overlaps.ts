/**
 * Folders that lie in one another where that does harm. What is compared is where things really are: a
 * symbolic link may lead from one into the other.
 *
 *  a destination in a staging folder        it is staged over, swept and removed with it
 *  a staging folder in a destination        who tidies up there, or copies it, takes it along
 *  a destination that is a database         a file is no folder
 *  a destination or a staging folder in the place of a -wal, -shm or -journal: a folder there stops the application
 *  a destination in the levels of another   one is listed as part of the other
 *  a staging folder in another, or a database in one, or one that is a database
 */

import fs from 'node:fs';
import path from 'node:path';
import { completeOptions } from '@sluice/core';
import { allLevelsPrefix } from '@sluice/core';
import type { ReadDatabase } from './database.ts';
import { spell, type Path, type Problems } from './problems.ts';

/** Of the files that SQLite keeps beside a database. */
const SIDES = ['-wal', '-shm', '-journal'];

interface Place {
  /** Where it stands in the configuration. */
  readonly at: Path;
  readonly shown: string;
  /** Without symbolic links. */
  readonly real: string;
}

export function findOverlaps(all: readonly ReadDatabase[], problems: Problems): void {
  // A database at the root is refused already, and everything lies in it.
  const databases = all.filter(({ config }) => config.options.path !== path.resolve('/'));
  // A path that is there twice is refused already.
  const files = databases.map(({ config, path: at }) => toPlace(at, config.options.path));
  const staging = databases.map(({ config, path: at }) =>
    toPlace(at, completeOptions(config.options).metaPath),
  );
  const destinations = databases.flatMap(({ replicas }) =>
    replicas.flatMap(({ path: at, destination: { folder } }) =>
      folder === undefined ? [] : [toPlace(at, folder)],
    ),
  );
  const say = ({ at, shown }: Place, how: string, { at: other, shown: where }: Place): void =>
    problems.add(
      at,
      `${spell(at)}: ${shown} ${how} ${spell(other)}, ${where}: choose another place`,
    );

  for (const folder of [...destinations, ...staging]) {
    for (const file of files) {
      const side = SIDES.find((suffix) => isIn(folder, { ...file, real: file.real + suffix }));
      if (side !== undefined) say(folder, `is the ${side} file of`, file);
    }
  }
  for (const destination of destinations) {
    for (const folder of staging) {
      if (isIn(destination, folder)) say(destination, 'lies in the staging folder of', folder);
      else if (isIn(folder, destination)) say(destination, 'holds the staging folder of', folder);
    }
    for (const file of files)
      if (isIn(destination, file)) say(destination, 'is the database', file);
    for (const other of destinations) {
      const levels = { ...other, real: allLevelsPrefix('tree', other.real).replace(/\/$/, '') };
      if (isIn(destination, levels)) say(destination, 'lies among the files of', other);
    }
  }
  for (const [index, folder] of staging.entries()) {
    for (const [other, place] of staging.entries()) {
      if (index !== other && folder.real !== place.real && isIn(folder, place)) {
        say(folder, 'lies in the staging folder of', place);
      }
    }
    for (const file of files) {
      if (isIn(folder, file))
        say(folder, 'cannot be the staging folder: it lies at the database of', file);
      else if (isIn(file, folder)) say(file, 'lies in the staging folder of', folder);
    }
  }
}

function toPlace(at: Path, shown: string): Place {
  return { at, shown, real: realPathOf(shown) };
}

/** Whether it is that place, or lies below it. */
function isIn(inner: Place, outer: Place): boolean {
  // Compared as text: thousands of databases make millions of pairs.
  const folder = outer.real.endsWith(path.sep) ? outer.real : outer.real + path.sep;
  return inner.real === outer.real || inner.real.startsWith(folder);
}

/** Of what is not there yet, with the links of what is above it followed. */
export function realPathOf(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const above = path.dirname(file); // what cannot be looked at is where its name says
    return above === file ? file : path.join(realPathOf(above), path.basename(file));
  }
}
