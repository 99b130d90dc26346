/**
 * Plain keys: every server keeps them unchanged. Some servers normalize other keys like file paths:
 * `db//0000/F` and `/db/0000/F` become `db/0000/F`, and the listing of the original prefix is empty. A key is
 * plain if and only if it has no backslash and no part between slashes is empty, `.` or `..`. Pure.
 */

import { isPlainPart } from '../config/key-path.ts';
import type { Layout } from '../store/client.ts';
import { allLevelsPrefix } from '../store/layout.ts';

export { plainRoot } from '../config/key-path.ts';

/** Whether the keys of a root are plain. Without a path, Litestream's keys in a bucket are not. */
export function hasPlainKeys(layout: Layout, root: string): boolean {
  const parts = allLevelsPrefix(layout, root).split('/').slice(0, -1);
  return parts.every(isPlainPart);
}
