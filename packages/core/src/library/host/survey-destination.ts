/** What one destination holds of a missing database. */

import { ReplicationError } from '../../error.ts';
import { formatTXID } from '../../ltx/txid.ts';
import { lastSentTo } from '../../replicate/record.ts';
import type { RestoreSource } from '../../restore/plan/sources.ts';
import { surveyReplica, type Survey } from '../../restore/plan/survey.ts';
import { hasBackup, listGenerations } from '../../v03/generations.ts';
import type { Logger } from '../../store/backend.ts';
import type { Connection } from './connection.ts';

/** A destination, open for reading. */
export interface Surveyed {
  readonly name: string;
  readonly target: string;
  /** Path of the replica. */
  readonly path: string;
  readonly connection: Connection;
}

/** A destination with files. */
export interface Listed {
  readonly kind: 'listed';
  readonly source: RestoreSource;
  readonly survey: Exclude<Survey, { kind: 'empty' }>;
  /** The newest state that this machine knows to have been sent there. */
  readonly sent: { readonly txid: bigint } | undefined;
}

export type Answer = Listed | { readonly kind: 'empty' };

/** Time after which a destination that does not answer is reported. A long listing is not given up. */
const SLOW_MS = 30_000;

/** Rejects if the destination cannot be read, or is empty although files were sent there. */
export async function surveyDestination(
  { name, target, path, connection }: Surveyed,
  metaPath: string,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<Answer> {
  const warn = (): void =>
    logger.warn(`${name} (${target}) has not answered for ${SLOW_MS / 1_000} s`);
  const timer = setTimeout(warn, SLOW_MS);
  try {
    const sent = await lastSentTo(metaPath, target); // before the listing
    const { client, capabilities } = await connection.open(signal);
    const survey = await surveyReplica(client, { kind: 'latest' }, signal, 'known');
    const generations = await listGenerations(await connection.client(signal), path, { signal });
    const old = generations.filter(hasBackup).at(-1);
    const newestAt = survey.kind === 'empty' ? undefined : survey.newest?.at;
    if (old !== undefined && (newestAt === undefined || newestAt < old.updatedAt)) {
      throw oldBackup(target);
    }
    if (survey.kind !== 'empty') {
      return { kind: 'listed', source: { name, client, capabilities }, survey, sent };
    }
    if (sent !== undefined) throw emptied(target, sent.txid);
    return { kind: 'empty' };
  } finally {
    clearTimeout(timer);
  }
}

function emptied(target: string, txid: bigint): ReplicationError {
  return new ReplicationError(
    'REPLICA_DESTINATION_NOT_FOUND',
    `list ${target}: it is empty, but according to the staging folder TXID ${formatTXID(txid)} was sent there: ` +
      'mount its disk, or correct its name. If it was emptied on purpose, remove the staging folder of the database',
  );
}

function oldBackup(target: string): ReplicationError {
  return new ReplicationError(
    'RESTORE_AMBIGUOUS',
    `list ${target}: the newest backup there is one of Litestream 0.3, which is not restored automatically: run ` +
      '"sluice restore"',
  );
}
