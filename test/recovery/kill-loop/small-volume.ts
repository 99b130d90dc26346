/** A small file system that a test fills, so that writes to it are short or fail. */

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

  /** Mounts a volume at `folder`. Returns undefined if this process may not mount. */
  static mount(folder: string, sizeBytes: number): SmallVolume | undefined {
    fs.mkdirSync(folder, { recursive: true });
    const args = ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'sluice-test', folder];
    const { status } = spawnSync('mount', args, { stdio: 'ignore' });
    return status === 0 ? new SmallVolume(folder) : undefined;
  }

  /** Fills the volume until at most `freeBytes` are free. */
  fill(freeBytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.folder);
    const sizeBytes = bavail * bsize - freeBytes;
    if (sizeBytes <= 0) return;
    try {
      fs.appendFileSync(path.join(this.folder, BALLAST), Buffer.alloc(sizeBytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error; // another process filled it
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
