/**
 * What is in files of directories that no pattern means, while a pattern means none (config/scan.ts). Each is looked into
 * once, unless it is empty: a file that changes all the time, such as a log, must not cost a process at every look.
 */

import fs from 'node:fs/promises';
import type { Examined } from '../config/examine.ts';

interface Known {
  /** Changes when another file has this name, or an empty one gets content. */
  readonly key: string;
  readonly result: Examined;
}

type Examine = (files: readonly string[]) => Promise<readonly Examined[]>;

export class UnmeantFiles {
  readonly #examine: Examine;
  /** By directory, then by path: only those of its last look. */
  readonly #known = new Map<string, ReadonlyMap<string, Known>>();

  constructor(examine: Examine) {
    this.#examine = examine;
  }

  async examine(dir: string, files: readonly string[]): Promise<readonly Examined[]> {
    const before = this.#known.get(dir);
    const keys = await Promise.all(files.map(keyOf));
    const unknown = files.filter((file, index) => before?.get(file)?.key !== keys[index]);
    const answers = unknown.length === 0 ? [] : await this.#examine(unknown);
    const results = new Map(unknown.map((file, index) => [file, answers[index] ?? 'empty']));
    const now = files.map((file, index): [string, Known] => {
      const result = results.get(file) ?? before?.get(file)?.result ?? 'empty';
      return [file, { key: keys[index] ?? '', result }];
    });
    this.#known.set(dir, new Map(now));
    return now.map(([, { result }]) => result);
  }
}

async function keyOf(file: string): Promise<string> {
  const found = await fs.lstat(file).catch(() => undefined);
  return found === undefined ? 'missing' : `${found.ino} ${found.size === 0 ? 'empty' : 'filled'}`;
}
