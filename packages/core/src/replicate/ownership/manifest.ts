/**
 * Removes `manifest.json` beside the LTX files of a replica. A later version of Litestream may keep a list of
 * the files there, which does not name those of other writers: a restore by it would be too old.
 */

import { isError, messageOf } from '../../error.ts';
import type { NamedObjects } from '../../replica/named-objects.ts';
import type { Logger } from '../../store/backend.ts';

export const MANIFEST_NAME = 'manifest.json';

export interface ManifestContext {
  /** Name of the destination. */
  readonly name: string;
  readonly target: string;
  readonly logger: Logger;
}

/**
 * Costs one read if there is none. A destination that allows neither the read nor the deletion keeps it, with a
 * warning if it is known to exist.
 */
export async function removeManifest(
  objects: Pick<NamedObjects, 'get' | 'delete'>,
  { name, target, logger }: ManifestContext,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { body } = await objects.get(MANIFEST_NAME, { signal });
    for await (const _ of body) break; // the content does not matter; this ends the request
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  try {
    await objects.delete(MANIFEST_NAME, { signal });
    logger.info(`${name}: removed ${MANIFEST_NAME}, which does not name the files of Sluice`, {
      target,
    });
  } catch (error) {
    if (!isError(error, 'REPLICA_PERMISSION_DENIED')) throw error;
    logger.warn(
      `${name}: ${MANIFEST_NAME} does not name the files of Sluice, and cannot be removed: ` +
        `${messageOf(error)}; remove it by hand before another program restores from there`,
      { target, code: error.code },
    );
  }
}

function isMissing(error: unknown): boolean {
  return (
    isError(error, 'REPLICA_NOT_FOUND') ||
    isError(error, 'REPLICA_DESTINATION_NOT_FOUND') ||
    isError(error, 'REPLICA_PERMISSION_DENIED')
  );
}
