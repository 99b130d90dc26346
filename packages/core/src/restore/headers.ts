/** The headers of one restore's files, newest first: whether they are what they should be. */

import { ReplicationError } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import type { LTXHeader } from '../ltx/header.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import { Lineage } from './lineage.ts';

export class Headers {
  readonly #lineage = new Lineage();
  #newest: LTXHeader | undefined;

  /** Of the newest file: what the database will be. */
  get newest(): LTXHeader | undefined {
    return this.#newest;
  }

  /** The next older one. LTX_INVALID or LTX_NOT_CONTIGUOUS where it does not belong to the others. */
  add(file: LTXFileInfo, header: LTXHeader): void {
    if (header.minTXID !== file.minTXID || header.maxTXID !== file.maxTXID) {
      const told = formatFilename(header.minTXID, header.maxTXID);
      throw new ReplicationError('LTX_INVALID', `by its header it is another file, ${told}`);
    }
    if (header.commit === 0) throw new ReplicationError('LTX_INVALID', 'a database of no pages');
    this.#lineage.add(file, header);
    this.#newest ??= header;
    const { pageSize } = this.#newest;
    if (header.pageSize === pageSize) return;
    throw new ReplicationError(
      'LTX_NOT_CONTIGUOUS',
      `its pages have ${header.pageSize} bytes, those of the newest file ${pageSize}`,
    );
  }
}
