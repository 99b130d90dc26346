/** Forgets what is staged for a database that is not replicated now. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { completeOptions, lastSentTo, resetStaging } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import { formatTXID } from '@sluice/core/ltx';
import type { DatabaseConfig } from '../config/model.ts';
import type { ResetAnswer, ResetInput } from './answers.ts';

/**
 * NOT_DURABLE if files are staged that a destination does not have yet, unless `force` is given. STAGING_IN_USE if a
 * replicator has the folder.
 */
export async function resetDatabase(
  { options, destinations }: DatabaseConfig,
  { force, dry_run: isDry }: ResetInput,
  running: boolean,
): Promise<ResetAnswer> {
  const { path: database, metaPath: folder } = completeOptions(options);
  if (isDry === true) {
    const counted = await resetStaging({ folder, database, mode: 'count' });
    return { path: database, status: 'would_reset', running, ...counted };
  }
  const newest = await newestStaged(folder);
  if (destinations.length === 0 && newest !== undefined && force !== true) {
    throw new ReplicationError(
      'NOT_DURABLE',
      `reset ${database}: without a configuration it is not known whether every destination has what is staged; nothing was ` +
        'removed. Give -config, or -force',
    );
  }
  const behind: string[] = [];
  for (const { name, target, enabled } of newest === undefined ? [] : destinations) {
    const sent = enabled === false ? undefined : await lastSentTo(folder, target);
    const has = sent === undefined ? '' : formatTXID(sent.txid);
    if (enabled !== false && has < (newest ?? '')) behind.push(name);
  }
  if (behind.length > 0 && force !== true) {
    throw new ReplicationError(
      'NOT_DURABLE',
      `reset ${database}: ${behind.join(', ')} does not have everything that is staged; nothing was removed. ` +
        'Wait until "sluice sync -wait" succeeds, or give -force: then states between the last upload and now are lost',
    );
  }
  const report = await resetStaging({ folder, database });
  return { path: database, status: 'reset', running, ...report };
}

/** TXID of the newest file of level 0, as 16 hex digits. */
async function newestStaged(folder: string): Promise<string | undefined> {
  try {
    const names = await fs.readdir(path.join(folder, 'ltx', '0'));
    const txids = names.flatMap((name) => /-([0-9a-f]{16})\.ltx$/.exec(name)?.[1] ?? []);
    return txids.sort().at(-1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
