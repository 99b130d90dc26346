/** What is right by itself and wrong together: two of one name, two writers to one place. */

import { completeOptions } from '@sluice/core';
import type { ReadDatabase } from './database.ts';
import { spell, type Path, type Problems } from './problems.ts';
import { realPathOf } from './overlaps.ts';

export function findClashes(databases: readonly ReadDatabase[], problems: Problems): void {
  const files = new Seen(problems, (file, other) => `${file} is the path of ${other} already`);
  const folders = new Seen(problems, (meta, other) => `${meta} is the staging folder of ${other}`);
  const places = new Seen(
    problems,
    (target, other) => `${target} is the target of ${other} already: two would write over another`,
  );
  for (const { config, path, replicas } of databases) {
    const { path: file, metaPath } = completeOptions(config.options);
    const isNew = files.add(realPathOf(file), file, [...path, 'path']);
    if (isNew) folders.add(realPathOf(metaPath), metaPath, [...path, 'meta-path']);
    const names = new Seen(
      problems,
      (name, other) => `the name ${name} is that of ${other} already`,
    );
    for (const { path: at, name, destination } of replicas) {
      const { folder, place, target } = destination;
      places.add(folder === undefined ? place : realPathOf(folder), target, at);
      if (name !== undefined) names.add(name, name, [...at, 'name']);
    }
  }
}

class Seen {
  readonly #problems: Problems;
  readonly #say: (shown: string, other: string) => string;
  readonly #paths = new Map<string, Path>();

  constructor(problems: Problems, say: (shown: string, other: string) => string) {
    this.#problems = problems;
    this.#say = say;
  }

  /** Whether it is seen for the first time; if not, adds an issue. */
  add(key: string, shown: string, path: Path): boolean {
    const other = this.#paths.get(key);
    if (other === undefined) this.#paths.set(key, path);
    else this.#problems.add(path, `${spell(path)}: ${this.#say(shown, spell(other))}`);
    return other === undefined;
  }
}
