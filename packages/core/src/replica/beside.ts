/**
 * Backups that lie beside the keys where they are looked for: a folder that was copied into a bucket, a
 * bucket that was copied into a folder, a backup of Litestream 0.3, a root whose keys a server has tidied.
 * Such a place lists as empty, and it may hold the only backup.
 */

import { ReplicationError } from '../error.ts';
import type { CallOptions, Layout, ReplicaClient } from '../store/client.ts';
import { describeReplica } from '../store/describe.ts';
import { allLevelsPrefix, objectPrefix, parseKey } from '../store/layout.ts';
import { hasPlainKeys, plainRoot } from './plain-keys.ts';

const OTHER: Readonly<Record<Layout, Layout>> = { tree: 'levels', levels: 'tree' };
/** How level 0 is called, for messages. */
const LEVEL_0: Readonly<Record<Layout, string>> = { tree: 'ltx/0', levels: '0000' };
const MADE_BY: Readonly<Record<Layout, string>> = {
  tree: 'a folder, Google Cloud Storage, Azure or SFTP',
  levels: 'an S3 bucket',
};

/** Where Litestream 0.3 has its backups, below the root: `generations/<16 hex>/snapshots/…`. */
const GENERATIONS = 'generations/';

/** Keys that are looked at: enough to get past foreign ones, and one page of a listing. */
const KEYS_MAX = 1_000;

/** REPLICA_UNSUPPORTED where there are files that this replica may be meant to have. */
export async function checkNothingBeside(
  client: ReplicaClient,
  root: string,
  { signal }: CallOptions,
): Promise<void> {
  const { layout = 'tree' } = client;
  const what = `list level all at ${describeReplica(client.name, root)}`;
  const options = { signal, root };
  if (await hasFiles(client, OTHER[layout], root, options)) throw otherLayout(what, layout);
  const generations = objectPrefix(root, GENERATIONS);
  const isGeneration = (key: string): boolean =>
    /^[0-9a-f]{16}\//.test(key.slice(generations.length));
  if (await anyKey(client, generations, options, isGeneration)) throw generationsOf03(what);
  if (client.capabilities.folders === true || hasPlainKeys(layout, root)) return;
  const meant = plainRoot(root);
  if (meant !== undefined && (await hasFiles(client, layout, meant, { ...options, root: meant }))) {
    const message = `${what}: it is empty, but there are files at ${meant}: set path to ${meant}`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
}

/** Whether there is any LTX file of this root in this layout. */
export async function hasFiles(
  client: ReplicaClient,
  layout: Layout,
  root: string,
  options: CallOptions,
): Promise<boolean> {
  const isFile = (key: string): boolean => parseKey(layout, root, key) !== undefined;
  return await anyKey(client, allLevelsPrefix(layout, root), options, isFile);
}

async function anyKey(
  client: ReplicaClient,
  prefix: string,
  options: CallOptions,
  isWanted: (key: string) => boolean,
): Promise<boolean> {
  let count = 0;
  for await (const { key } of client.list(prefix, options)) {
    if (isWanted(key)) return true;
    count += 1;
    if (count === KEYS_MAX) return false;
  }
  return false;
}

function otherLayout(what: string, layout: Layout): ReplicationError {
  const [here, there] = [LEVEL_0[layout], LEVEL_0[OTHER[layout]]];
  const message =
    `${what}: no file lies below ${here}, where this kind of destination has them, but there are some ` +
    `below ${there}: they were copied from ${MADE_BY[OTHER[layout]]}. Copy them back, or rename ` +
    `${there} to ${here}, and the other levels likewise`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}

function generationsOf03(what: string): ReplicationError {
  const message =
    `${what}: no file of ours lies there, but a backup of Litestream 0.3 does (${GENERATIONS}), which ` +
    'this version cannot read: restore it with Litestream 0.3.13, and replicate to another path';
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
