/** Older copies of folders, for actors that put one back. */

import fs from 'node:fs';
import path from 'node:path';

export class Copies {
  readonly #folder: string;
  /** Name of the copy by original folder. */
  readonly #names = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Copies the folders, replacing earlier copies. */
  keep(folders: readonly string[]): void {
    for (const folder of folders) {
      if (!fs.existsSync(folder)) continue;
      const name = this.#names.get(folder) ?? String(this.#names.size);
      this.#names.set(folder, name);
      replace(path.join(this.#folder, name), folder);
    }
  }

  /** Replaces the folder with its copy. Returns false if there is no copy. */
  putBack(folder: string): boolean {
    const name = this.#names.get(folder);
    if (name !== undefined) replace(folder, path.join(this.#folder, name));
    return name !== undefined;
  }
}

function replace(folder: string, by: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.cpSync(by, folder, { recursive: true });
}
