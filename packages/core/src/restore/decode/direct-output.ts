/**
 * Opens the output of a restore a second time, for writes past the page cache (O_DIRECT).
 */

import fs from 'node:fs';
import { promisify } from 'node:util';

/** Type numbers of statfs: ext2, ext3 and ext4, and XFS. Others are slower with O_DIRECT, or ignore it. */
const FILE_SYSTEMS: ReadonlySet<number> = new Set([0xef53, 0x58465342]);

const open = promisify(fs.open);
const statfs = promisify(fs.statfs);

/** undefined if the system or the file system does not have it. */
export async function openDirect(descriptor: number): Promise<number | undefined> {
  const { O_DIRECT, O_WRONLY } = fs.constants;
  if (O_DIRECT === undefined) return undefined; // only Linux has it
  const name = `/proc/self/fd/${descriptor}`;
  try {
    const { type } = await statfs(name);
    return FILE_SYSTEMS.has(type) ? await open(name, O_WRONLY | O_DIRECT) : undefined;
  } catch {
    return undefined;
  }
}
