/**
 * Names the file of a process that was killed between writing its position and giving it its name.
 *
 * The bytes were durable before the position was written. So the file is whole, and the position, the
 * page checksums and everything after it stay valid. Otherwise the position would be above the newest
 * staged file, as if that file was lost, and a full snapshot would be taken.
 *
 * It is named if and only if its TXID is that of the position, it follows the newest staged file, every
 * byte of it is verified, and its header is that of the position.
 */

import type { Clock } from '../../clock.ts';
import type { FileSystem } from '../../file-system.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Position } from '../continuity/position.ts';
import { checkStaged } from './staged-check.ts';
import { toStagingError } from './staging-error.ts';
import type { StagedFile, Staging } from './staging.ts';

export interface UnnamedContext {
  readonly files: FileSystem;
  readonly kernel: Kernel;
  readonly clock: Clock;
}

/** Call before the staging folder is opened, which removes temporary files. Returns the named file. */
export async function nameUnnamed(
  staging: Staging,
  context: UnnamedContext,
): Promise<StagedFile | undefined> {
  const unnamed = await findUnnamed(staging, context);
  if (unnamed === undefined) return undefined;
  const { path, minTXID, maxTXID, sizeBytes } = unnamed;
  return await staging.publish(path, 0, minTXID, maxTXID, sizeBytes);
}

/** Throws STAGING_FAILED if the folder cannot be read. */
async function findUnnamed(
  staging: Staging,
  context: UnnamedContext,
): Promise<StagedFile | undefined> {
  try {
    const position = await staging.readPosition();
    if (position === undefined) return undefined;
    const unnamed = await staging.unnamedCut(position.txid);
    if (unnamed === undefined) return undefined;
    const newest = (await staging.list(0)).at(-1)?.maxTXID;
    if (newest !== position.txid - 1n) return undefined;
    return (await isOf(position, unnamed, context)) ? unnamed : undefined;
  } catch (error) {
    throw toStagingError(`look for an unnamed file in ${staging.folder}`, error);
  }
}

async function isOf(
  position: Position,
  unnamed: StagedFile,
  context: UnnamedContext,
): Promise<boolean> {
  const { found } = await checkStaged([unnamed], { ...context, depthOf: () => 'whole' });
  const [intact] = found;
  return intact?.lineage === position.lineage && intact.pageSize === position.pageSize;
}
