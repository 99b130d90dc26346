/**
 * Checks that all files of one restore belong to the same lineage: the node ID in their headers,
 * chosen at random with each full snapshot that starts a lineage. 0 means unknown (Litestream's
 * files, and files that it merged from ours) and is accepted beside any other.
 *
 * Two different lineages never mix in one restore: files older than a full snapshot are not read,
 * so all files that are read belong to the lineage of the newest one.
 */

import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import { UnusableFileError } from './unusable-file.ts';

export class Lineage {
  #nodeID = 0n;
  #newer: LTXFileInfo | undefined;

  /** Adds the next older file. LTX_NOT_CONTIGUOUS if it belongs to another lineage. */
  add(file: LTXFileInfo, { nodeID }: LTXHeader): void {
    if (nodeID === 0n) return;
    if (this.#newer !== undefined && nodeID !== this.#nodeID) {
      throw new UnusableFileError(
        'LTX_NOT_CONTIGUOUS',
        `${describeFile(file)} and ${describeFile(this.#newer)} were written by different runs of ` +
          'the replicator and do not continue each other; restore another TXID, or use another destination',
        [file, this.#newer],
      );
    }
    this.#nodeID = nodeID;
    this.#newer = file;
  }
}
