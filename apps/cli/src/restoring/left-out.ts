/** Parts of a destination that a restore leaves out. Pure. */

import { hasBackup, type Generation } from '@sluice/core';

/**
 * Names the generations that have neither a snapshot nor a part of a WAL; undefined if there are none.
 */
export function describeLeftOut(generations: readonly Generation[]): string | undefined {
  const leftOut = generations.filter((generation) => !hasBackup(generation));
  if (leftOut.length === 0) return undefined;
  const names = leftOut.map(({ id, unknown }) => `${id} (${unknown[0] ?? 'empty'})`);
  return (
    `left out, because Litestream 0.3 uses none of their objects: generations ${names.join(', ')}; ` +
    'move these objects away if they do not belong to the backup'
  );
}
