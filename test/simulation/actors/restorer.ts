/** Restores from one bucket alone, with core's own restore, and finds the state that came back. */

import fs from 'node:fs';
import path from 'node:path';
import type { TXID } from '../../../packages/core/src/ltx/txid.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import { hashOf, type Ledger, type State } from './ledger.ts';
import { ROOT } from './replicator.ts';

export type Restored =
  | { readonly kind: 'state'; readonly txid: bigint; readonly hash: string; readonly state: State }
  | { readonly kind: 'failed'; readonly why: string };

export class Restorer {
  readonly #core: Core;
  readonly #ledger: Ledger;
  readonly #output: string;
  #count = 0;

  constructor({ core, ledger, folder }: { core: Core; ledger: Ledger; folder: string }) {
    this.#core = core;
    this.#ledger = ledger;
    this.#output = path.join(folder, 'restored.db');
  }

  get count(): number {
    return this.#count;
  }

  /** `txid`: undefined for the newest state. */
  async restore(bucket: Bucket, txid: bigint | undefined): Promise<Restored> {
    this.#count += 1;
    const { name } = bucket;
    const client = new this.#core.Destination(bucket.observer()).replica(ROOT);
    try {
      const report = await this.#core.restore({
        sources: [{ name, client }],
        output: this.#output,
        target: txid === undefined ? { kind: 'latest' } : { kind: 'txid', txid: txid as TXID },
        overwrite: 'replace',
      });
      const hash = hashOf(fs.readFileSync(this.#output));
      const state = this.#ledger.find(hash);
      if (state !== undefined) {
        return { kind: 'state', txid: BigInt(`0x${report.txid}`), hash, state };
      }
      return { kind: 'failed', why: `${name} restores at ${report.txid} what was never committed` };
    } catch (error) {
      const what = txid === undefined ? 'the newest state' : `TXID ${txid}`;
      return { kind: 'failed', why: `${name} cannot restore ${what}: ${String(error)}` };
    } finally {
      fs.rmSync(this.#output, { force: true });
    }
  }
}
