/**
 * Detects backups under other keys than expected: a folder that was copied into a bucket, a bucket that was
 * copied into a folder, a backup of Litestream 0.3, a root whose keys were changed by the server. The
 * expected listing is empty in these cases, but the destination may hold the only backup.
 */

import { ReplicationError } from '../error.ts';
import type { CallOptions, Layout, ReplicaClient } from '../store/client.ts';
import { describeReplica } from '../store/describe.ts';
import { allLevelsPrefix, objectPrefix, parseKey } from '../store/layout.ts';
import { hasPlainKeys, plainRoot } from './plain-keys.ts';

const OTHER: Readonly<Record<Layout, Layout>> = { tree: 'levels', levels: 'tree' };
/** The folder of level 0, for messages. */
const LEVEL_0: Readonly<Record<Layout, string>> = { tree: 'ltx/0', levels: '0000' };
const TYPICAL_SOURCE: Readonly<Record<Layout, string>> = {
  tree: 'a folder, Google Cloud Storage, Azure or SFTP',
  levels: 'an S3 bucket',
};

/** Litestream 0.3 stores its backups below the root in `generations/<16 hex>/snapshots/…`. */
const GENERATIONS = 'generations/';

/** Maximum number of keys examined: enough to skip foreign keys, and one page of a listing. */
const KEYS_MAX = 1_000;

/** Whether the caller already knows about a backup of Litestream 0.3 and can restore it. */
export type Generations = 'refused' | 'known';

export interface OtherLayoutOptions extends Pick<CallOptions, 'signal'> {
  /** Default 'refused'. */
  readonly generations?: Generations | undefined;
}

/** Throws REPLICA_UNSUPPORTED if there are files that probably belong to this replica. */
export async function checkOtherLayouts(
  client: ReplicaClient,
  root: string,
  { signal, generations: known = 'refused' }: OtherLayoutOptions,
): Promise<void> {
  const { layout = 'tree' } = client;
  const what = `list level all at ${describeReplica(client.name, root)}`;
  const options = { signal, root };
  if (await hasFiles(client, OTHER[layout], root, options)) throw otherLayout(what, layout);
  if (known === 'refused' && (await hasGenerations(client, root, options))) {
    throw generationsOf03(what);
  }
  if (client.capabilities.folders === true || hasPlainKeys(layout, root)) return;
  const meant = plainRoot(root);
  if (meant !== undefined && (await hasFiles(client, layout, meant, { ...options, root: meant }))) {
    const message = `${what}: it is empty, but there are files at ${meant}; set path to ${meant}`;
    throw new ReplicationError('REPLICA_UNSUPPORTED', message);
  }
}

/** Whether the root has an LTX file in this layout. */
export async function hasFiles(
  client: ReplicaClient,
  layout: Layout,
  root: string,
  options: CallOptions,
): Promise<boolean> {
  const isFile = (key: string): boolean => parseKey(layout, root, key) !== undefined;
  return await anyKey(client, allLevelsPrefix(layout, root), options, isFile);
}

/** Whether the root has a backup of Litestream 0.3. */
export async function hasGenerations(
  client: ReplicaClient,
  root: string,
  options: CallOptions,
): Promise<boolean> {
  const generations = objectPrefix(root, GENERATIONS);
  const isGeneration = (key: string): boolean =>
    /^[0-9a-f]{16}\//.test(key.slice(generations.length));
  return await anyKey(client, generations, options, isGeneration);
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
    `${what}: there are no files below ${here}, the layout of this type of destination, but there are ` +
    `files below ${there}: they were copied from ${TYPICAL_SOURCE[OTHER[layout]]}. Copy them back, or rename ` +
    `${there} to ${here}, and all other levels in the same way`;
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}

function generationsOf03(what: string): ReplicationError {
  const message =
    `${what}: there are no LTX files, but there is a backup of Litestream 0.3 (${GENERATIONS}), which has ` +
    'no TXIDs: restore it with "sluice restore", without -txid; "sluice generations" lists what it has';
  return new ReplicationError('REPLICA_UNSUPPORTED', message);
}
