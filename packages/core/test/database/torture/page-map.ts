/** What the staged files of one history say that the database is: applied in the order of TXIDs. */

import fs from 'node:fs';
import { createKernel } from '../../../src/kernel/kernel.ts';
import { LTXDecoder } from '../../../src/ltx/decoder.ts';

export class PageMap {
  readonly #kernel = createKernel();
  #pages = new Map<number, Uint8Array>();
  commit = 0;
  pageSize = 0;
  txid = 0n;

  /** Applies a file. One that holds all pages replaces everything; any other must follow. */
  apply(path: string, txid: bigint): 'increment' | 'image' {
    const decoder = new LTXDecoder(this.#kernel);
    const fresh = new Map<number, Uint8Array>();
    for (const { pgnos, pages } of decoder.push(fs.readFileSync(path))) {
      const size = decoder.header?.pageSize ?? 0;
      for (const [index, pgno] of pgnos.entries()) {
        fresh.set(pgno, pages.slice(index * size, (index + 1) * size));
      }
    }
    decoder.finish();
    const { header } = decoder;
    if (header === undefined) throw new Error(`${path} has no header`);
    const content = fresh.size === header.commit ? 'image' : 'increment';
    if (content === 'increment' && txid !== this.txid + 1n) {
      throw new Error(`TXID ${txid} does not follow ${this.txid}`);
    }
    this.#pages = content === 'image' ? fresh : new Map([...this.#pages, ...fresh]);
    this.commit = header.commit;
    this.pageSize = header.pageSize;
    for (const pgno of this.#pages.keys()) if (pgno > this.commit) this.#pages.delete(pgno);
    this.txid = txid;
    return content;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.commit * this.pageSize);
    for (const [pgno, page] of this.#pages) bytes.set(page, (pgno - 1) * this.pageSize);
    return bytes;
  }

  /** The numbers of the pages that differ from `database`, of which sizes differ first. */
  differences(database: Uint8Array): string[] {
    const found: string[] = [];
    if (database.length !== this.commit * this.pageSize) {
      found.push(`size ${database.length} is not ${this.commit} x ${this.pageSize}`);
    }
    for (let pgno = 1; pgno <= this.commit; pgno++) {
      const there = database.subarray((pgno - 1) * this.pageSize, pgno * this.pageSize);
      const ours = this.#pages.get(pgno);
      if (ours === undefined) found.push(`page ${pgno} is missing`);
      else if (Buffer.compare(ours, there) !== 0) found.push(`page ${pgno} differs`);
    }
    return found;
  }
}
