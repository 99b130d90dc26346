/** Copies of folders as they once were, for an actor that puts one back. */

import fs from 'node:fs';
import path from 'node:path';

export class Copies {
  readonly #folder: string;
  /** Name of the copy by the folder that was copied. */
  readonly #names = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Instead of the copies of these that were kept before. */
  keep(folders: readonly string[]): void {
    for (const folder of folders) {
      if (!fs.existsSync(folder)) continue;
      const name = this.#names.get(folder) ?? String(this.#names.size);
      this.#names.set(folder, name);
      replace(path.join(this.#folder, name), folder);
    }
  }

  /** Puts the folder back as it was. False where no copy of it was kept. */
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
