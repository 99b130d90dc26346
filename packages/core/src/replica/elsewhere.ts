/**
 * Files that lie where nobody looks for them: a folder destination that was copied into a bucket, a
 * bucket that was copied into a folder, a backup of Litestream 0.3. The layouts differ, so such a place
 * looks empty. It is not: what lies there may be the only backup. Pure.
 */

import { ReplicationError } from '../error.ts';
import { allLevelsPrefix, type Layout } from '../store/layout.ts';

const OTHER: Readonly<Record<Layout, Layout>> = { tree: 'hex-level', 'hex-level': 'tree' };

/** How the levels are called, for messages. */
const LEVELS: Readonly<Record<Layout, string>> = { tree: 'ltx/0', 'hex-level': '0000' };
const MADE_BY: Readonly<Record<Layout, string>> = {
  tree: 'a folder, Google Cloud Storage, Azure or SFTP',
  'hex-level': 'an S3 bucket',
};

/** The layout that files from another kind of destination have, and what all their keys begin with. */
export function otherLayout(
  layout: Layout,
  root: string,
): { readonly layout: Layout; readonly prefix: string } {
  const other = OTHER[layout];
  return { layout: other, prefix: allLevelsPrefix(other, root) };
}

/** REPLICA_UNSUPPORTED: it must not pass for "nothing is there". */
export function errorOfOtherLayout(what: string, layout: Layout): ReplicationError {
  const [here, there] = [LEVELS[layout], LEVELS[OTHER[layout]]];
  const message =
    `${what}: no file lies below ${here}, where this kind of destination has them, but there are some ` +
    `below ${there}: they were copied from ${MADE_BY[OTHER[layout]]}. Copy them back, or rename ` +
    `${there} to ${here}, and the other levels likewise`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}

/** Where Litestream 0.3 has its backups, below the root: `generations/<16 hex>/snapshots/…`. */
export const GENERATIONS = 'generations';

export function isGeneration(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/** REPLICA_UNSUPPORTED: it must not pass for "nothing is there". */
export function errorOfGenerations(what: string): ReplicationError {
  const message =
    `${what}: no file of ours lies there, but a backup of Litestream 0.3 does (${GENERATIONS}/), which ` +
    'this version cannot read: restore it with Litestream 0.3.13, and replicate to another path';
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
