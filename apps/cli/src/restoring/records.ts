/** What this machine remembers of a destination: the staging folder of the database tells what was sent there. */

import { defaultMetaPath, lastSentTo } from '@sluice/core';
import { messageOf, type Logger } from '@sluice/core/backend';
import path from 'node:path';
import type { DatabaseConfig, DestinationConfig } from '../config/model.ts';

/** What was sent last; lineage 0 is unknown. */
export interface Sent {
  readonly txid: bigint;
  readonly lineage: bigint;
}

/** Undefined where nothing is known to have been sent. */
export type SentTo = (destination: DestinationConfig) => Promise<Sent | undefined>;

/** `database` is undefined where a destination was given by its URL: then `output` may be the database. */
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
      logger.warn(`what was sent to ${target} before is not known: ${messageOf(error)}`);
      return undefined;
    }
  };
}
