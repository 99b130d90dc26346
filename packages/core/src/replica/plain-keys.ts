/**
 * Keys that every server keeps as they are. Some tidy others like paths of files: `db//0000/F` and
 * `/db/0000/F` become `db/0000/F`, and a listing of what was asked for is then empty. A key is plain if
 * and only if no part of it between slashes is empty, `.` or `..`, and no backslash is in it. Pure.
 */

import { isPlainPart } from '../config/key-path.ts';
import type { Layout } from '../store/client.ts';
import { allLevelsPrefix } from '../store/layout.ts';

export { plainRoot } from '../config/key-path.ts';

/** Whether the keys of a root are plain. Those of Litestream in a bucket are not, without a path. */
export function hasPlainKeys(layout: Layout, root: string): boolean {
  const parts = allLevelsPrefix(layout, root).split('/').slice(0, -1);
  return parts.every(isPlainPart);
}
