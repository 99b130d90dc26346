/**
 * Which runs of images and increments the files of one restore belong to: the node id of their
 * headers, drawn anew at each image that begins a run. 0 is unknown (Litestream's files, and its
 * merges of ours) and passes with anything.
 *
 * Two that differ never meet in one restore: what lies before a full image is not read, so all
 * files that are read belong to the run that the newest of them belongs to.
 */

import type { LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { describeFile } from '../store/describe.ts';
import { UnfitFile } from './unfit-file.ts';

export class Lineage {
  #nodeID = 0n;
  #newer: LTXFileInfo | undefined;

  /** The next older file. LTX_NOT_CONTIGUOUS where it is of another run. */
  add(file: LTXFileInfo, { nodeID }: LTXHeader): void {
    if (nodeID === 0n) return;
    if (this.#newer !== undefined && nodeID !== this.#nodeID) {
      throw new UnfitFile(
        'LTX_NOT_CONTIGUOUS',
        `${describeFile(file)} and ${describeFile(this.#newer)} were written by different runs of ` +
          'the replicator and do not continue each other; restore another TXID, or from another destination',
        [file, this.#newer],
      );
    }
    this.#nodeID = nodeID;
    this.#newer = file;
  }
}
