/** Checks the headers of one restore's files, newest first, against their names and each other. */

import { ReplicationError } from '../../error.ts';
import { formatFilename } from '../../ltx/filename.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import { requireLaterTime, requireLineage, type PlannedFile } from '../across/one-history.ts';
import { Lineage } from './lineage.ts';

export class HeaderChain {
  readonly #lineage = new Lineage();
  #newest: LTXHeader | undefined;
  #previous: { readonly file: PlannedFile; readonly header: LTXHeader } | undefined;

  /** Header of the newest file: it gives the page size and the size of the database. */
  get newest(): LTXHeader | undefined {
    return this.#newest;
  }

  /**
   * Adds the next older file. LTX_INVALID or LTX_NOT_CONTIGUOUS if it does not belong to the
   * others.
   */
  add(file: PlannedFile, header: LTXHeader): void {
    requireOwnHeader(file, header);
    this.#lineage.add(file, header);
    if (this.#previous !== undefined) requireLaterTime(this.#previous, file, header);
    this.#previous = { file, header };
    this.#newest ??= header;
    const { pageSize } = this.#newest;
    if (header.pageSize === pageSize) return;
    throw new ReplicationError(
      'LTX_NOT_CONTIGUOUS',
      `its page size is ${header.pageSize} bytes, but the newest file has ${pageSize}`,
    );
  }
}

/**
 * LTX_INVALID if the header is not that of this file, LTX_NOT_CONTIGUOUS if it is of a lineage that its source
 * is not used for.
 */
export function requireOwnHeader(file: PlannedFile, header: LTXHeader): void {
  if (header.minTXID !== file.minTXID || header.maxTXID !== file.maxTXID) {
    const actual = formatFilename(header.minTXID, header.maxTXID);
    throw new ReplicationError('LTX_INVALID', `its header says that it is file ${actual}`);
  }
  if (header.commit === 0) throw new ReplicationError('LTX_INVALID', 'its database has no pages');
  requireLineage(file, header);
}
