/** Finds conflicts between databases and destinations: equal paths, targets, names or staging folders. */

import fs from 'node:fs';
import { completeOptions } from '@sluice/core';
import type { DatabaseConfig } from './model.ts';
import type { ReadReplica } from './replica.ts';
import { spell, type Path, type Problems } from './problems.ts';
import { realPathOf } from './overlaps.ts';

/** A database and where its files go. `path`: where it is written. */
export interface PlacedDatabase {
  readonly config: Pick<DatabaseConfig, 'options'>;
  readonly path: Path;
  readonly replicas: readonly Pick<ReadReplica, 'path' | 'name' | 'destination'>[];
}

export function findClashes(databases: readonly PlacedDatabase[], problems: Problems): void {
  const files = new Uniques(problems, (file, other) =>
    linkedInode(file) !== undefined
      ? `${file} is the same file as the path of ${other} (a hard link): use the name that the application uses`
      : `${file} is already the path of ${other}`,
  );
  const folders = new Uniques(
    problems,
    (meta, other) => `${meta} is already the staging folder of ${other}`,
  );
  const places = new Uniques(
    problems,
    (target, other) => `${target} is already the target of ${other}: give each its own path`,
  );
  for (const { config, path, replicas } of databases) {
    const { path: file, metaPath } = completeOptions(config.options);
    const isNew = files.add(identityOf(file), file, [...path, 'path']);
    if (isNew) folders.add(realPathOf(metaPath), metaPath, [...path, 'meta-path']);
    const names = new Uniques(
      problems,
      (name, other) => `the name ${name} is already used by ${other}`,
    );
    for (const { path: at, name, destination } of replicas) {
      const { folder, place, target } = destination;
      places.add(folder === undefined ? place : realPathOf(folder), target, at);
      if (name !== undefined) names.add(name, name, [...at, 'name']);
    }
  }
}

/** The same for all names of a file: two of them would have two logs. */
function identityOf(file: string): string {
  return linkedInode(file) ?? realPathOf(file);
}

/** undefined if the file has no hard links, or cannot be seen. */
function linkedInode(file: string): string | undefined {
  try {
    const { dev, ino, nlink } = fs.statSync(file, { bigint: true });
    return nlink > 1n ? `${dev}:${ino}` : undefined;
  } catch {
    return undefined;
  }
}

class Uniques {
  readonly #problems: Problems;
  readonly #describe: (shown: string, other: string) => string;
  readonly #paths = new Map<string, Path>();

  constructor(problems: Problems, describe: (shown: string, other: string) => string) {
    this.#problems = problems;
    this.#describe = describe;
  }

  /** Returns true if `key` is new. Otherwise it adds a problem. */
  add(key: string, shown: string, path: Path): boolean {
    const other = this.#paths.get(key);
    if (other === undefined) this.#paths.set(key, path);
    else this.#problems.add(path, `${spell(path)}: ${this.#describe(shown, spell(other))}`);
    return other === undefined;
  }
}
