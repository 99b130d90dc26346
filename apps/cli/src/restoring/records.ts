/**
 * Reads this machine's record of a destination: the last state sent, from the staging folder of the
 * database.
 */

import { defaultMetaPath, lastSentTo } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import path from 'node:path';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';

/** The last state that was sent; lineage 0 is unknown. */
export interface Sent {
  readonly txid: bigint;
  readonly lineage: bigint;
}

/** undefined if nothing is known to have been sent. */
export type SentTo = (destination: DestinationConfig) => Promise<Sent | undefined>;

/** `database` is undefined if a destination was given by URL: then `output` may be the database. */
export function sentFrom(
  database: DatabaseConfig | undefined,
  output: string,
  logger: Logger,
): SentTo {
  const { path: file = path.resolve(output), metaPath } = database?.options ?? {};
  const folder = metaPath ?? defaultMetaPath(file);
  return async ({ target }) => {
    try {
      return await lastSentTo(folder, target);
    } catch (error) {
      logger.warn(`cannot find out which state was last sent to ${target}: ${messageOf(error)}`);
      return undefined;
    }
  };
}
