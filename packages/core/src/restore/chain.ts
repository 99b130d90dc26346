/** Checks, as files become known newest first, that they belong together. Pure. */

import { ReplicationError } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import { isFullImage } from '../ltx/decoder.ts';
import type { LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo } from '../replica/client.ts';

export interface KnownFile {
  readonly header: LTXHeader;
  readonly pageCount: number;
}

export function nameOf(file: LTXFileInfo): string {
  return `level ${file.level} ${formatFilename(file.minTXID, file.maxTXID)}`;
}

export class ChainCheck {
  #newer: KnownFile | undefined;

  /**
   * The next older file. 'base' where it holds every page: nothing before it is needed.
   * LTX_INVALID where it is not the file that its name tells; LTX_NOT_CONTIGUOUS where two
   * lineages meet but not at a full image.
   */
  add(file: LTXFileInfo, known: KnownFile): 'base' | 'goes-on' {
    const { header } = known;
    const name = nameOf(file);
    if (header.minTXID !== file.minTXID || header.maxTXID !== file.maxTXID) {
      const told = formatFilename(header.minTXID, header.maxTXID);
      throw new ReplicationError('LTX_INVALID', `${name} holds another file, ${told}`);
    }
    const newer = this.#newer;
    if (newer !== undefined && isForeign(newer.header.nodeID, header.nodeID)) {
      const after = formatFilename(newer.header.minTXID, newer.header.maxTXID);
      throw new ReplicationError(
        'LTX_NOT_CONTIGUOUS',
        `${name} and ${after} were written by different runs and do not continue each other; ` +
          'restore to an earlier TXID, or from another destination',
      );
    }
    this.#newer = known;
    return isFullImage(header, known.pageCount) ? 'base' : 'goes-on';
  }
}

/** 0 is unknown, and passes with anything. */
function isForeign(newer: bigint, older: bigint): boolean {
  return newer !== 0n && older !== 0n && newer !== older;
}
