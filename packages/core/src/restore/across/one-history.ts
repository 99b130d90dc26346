/**
 * Rules for files of several sources in one restore. Equal TXIDs do not prove an equal history: two copies of a
 * database count on from the same number. LTX files have no checksum of the database they apply to, so this is
 * proved by lineage: one replicator draws it, and gives each TXID of it only once. And times rise within a lineage,
 * unless the writer's clock was wrong.
 */

import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import { describeFile } from '../../store/describe.ts';
import type { RestoreSource } from '../plan/sources.ts';
import { UnusableFileError } from '../plan/unusable-file.ts';

/** A file, and the source that it is read from if there are several. */
export type PlannedFile = LTXFileInfo & { readonly source?: RestoreSource | undefined };

/** LTX_NOT_CONTIGUOUS if the file is of another lineage than its source was admitted for. */
export function requireLineage(file: PlannedFile, { nodeID }: LTXHeader): void {
  const { source } = file;
  if (source?.lineage === undefined || source.lineage === nodeID) return;
  throw new UnusableFileError(
    'LTX_NOT_CONTIGUOUS',
    `${describeFile(file)} at ${source.name} is of ${nameOf(nodeID)}, but the state to restore is of ` +
      `${nameOf(source.lineage)}: it is not combined with files of other destinations; to restore from ` +
      `${source.name} alone, use -replica ${source.name}`,
    [file],
  );
}

/** LTX_NOT_CONTIGUOUS if files of two sources were written in another order than their TXIDs say. */
export function requireLaterTime(
  newer: { readonly file: PlannedFile; readonly header: LTXHeader },
  file: PlannedFile,
  header: LTXHeader,
): void {
  const { source } = file;
  const other = newer.file.source;
  if (source?.lineage === undefined || other === undefined || source.name === other.name) return;
  // Litestream dates a snapshot with the time at which it was taken.
  if (file.level === LEVEL_SNAPSHOT || header.timestampMs <= newer.header.timestampMs) return;
  throw new UnusableFileError(
    'LTX_NOT_CONTIGUOUS',
    `${describeFile(file)} at ${source.name} was written at ${new Date(header.timestampMs).toISOString()}, later than ` +
      `${describeFile(newer.file)} at ${other.name}, which should follow it: two replicators may have written them; ` +
      'choose one destination with -replica',
    [file, newer.file],
  );
}

function nameOf(lineage: bigint): string {
  return lineage === 0n ? 'unknown lineage' : `lineage ${lineage.toString(16).padStart(16, '0')}`;
}
