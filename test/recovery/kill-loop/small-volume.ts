/** A small file system of its own, which a test fills: writes to it are then short, or fail. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const BALLAST = '.ballast';

export class SmallVolume {
  readonly folder: string;
  readonly #atExit = (): void => this.unmount();

  private constructor(folder: string) {
    this.folder = folder;
    process.once('exit', this.#atExit);
  }

  /** Mounts one at `folder`; undefined where this process has no right to. */
  static mount(folder: string, sizeBytes: number): SmallVolume | undefined {
    fs.mkdirSync(folder, { recursive: true });
    const args = ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'sluice-test', folder];
    const { status } = spawnSync('mount', args, { stdio: 'ignore' });
    return status === 0 ? new SmallVolume(folder) : undefined;
  }

  /** Leaves `freeBytes` of it, or less where less is free already. */
  fill(freeBytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.folder);
    const sizeBytes = bavail * bsize - freeBytes;
    if (sizeBytes <= 0) return;
    try {
      fs.appendFileSync(path.join(this.folder, BALLAST), Buffer.alloc(sizeBytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error; // another was faster
    }
  }

  free(): void {
    fs.rmSync(path.join(this.folder, BALLAST), { force: true });
  }

  unmount(): void {
    process.off('exit', this.#atExit);
    spawnSync('umount', ['-l', this.folder], { stdio: 'ignore' });
  }
}
