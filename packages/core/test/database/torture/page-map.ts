/** The database state that results from applying staged files in TXID order. */

import fs from 'node:fs';
import Database from 'better-sqlite3';
import { createKernel } from '../../../src/kernel/kernel.ts';
import { LTXDecoder } from '../../../src/ltx/decoder.ts';
import { formatTXID } from '../../../src/ltx/txid.ts';

/** Offset of the file format versions in the database header, and their value without a WAL. */
const JOURNAL_MODE_OFFSET = 18;
const ROLLBACK_JOURNAL = 1;

export class PageMap {
  readonly #kernel = createKernel();
  #pages = new Map<number, Uint8Array>();
  commit = 0;
  pageSize = 0;
  txid = 0n;

  /** Applies a file. A file with all pages replaces everything; any other must have the next TXID. */
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
      throw new Error(`TXID ${formatTXID(txid)} does not follow ${formatTXID(this.txid)}`);
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

  /** The first error of the integrity check, if any. A state that was never committed rarely passes it. */
  findCorruption(): string | undefined {
    const bytes = Buffer.from(this.bytes());
    bytes.fill(ROLLBACK_JOURNAL, JOURNAL_MODE_OFFSET, JOURNAL_MODE_OFFSET + 2); // an in-memory database cannot use a WAL
    const database = new Database(bytes);
    try {
      const found = database.pragma('integrity_check(1)', { simple: true });
      return found === 'ok' ? undefined : String(found);
    } catch (error) {
      return String(error);
    } finally {
      database.close();
    }
  }

  /** Differences from `database`: the size, then pages. */
  differences(database: Uint8Array): string[] {
    const found: string[] = [];
    if (database.length !== this.commit * this.pageSize) {
      found.push(`size ${database.length} is not ${this.commit} x ${this.pageSize}`);
    }
    for (let pgno = 1; pgno <= this.commit; pgno++) {
      const expected = database.subarray((pgno - 1) * this.pageSize, pgno * this.pageSize);
      const ours = this.#pages.get(pgno);
      if (ours === undefined) found.push(`page ${pgno} is missing`);
      else if (Buffer.compare(ours, expected) !== 0) found.push(`page ${pgno} differs`);
    }
    return found;
  }
}
