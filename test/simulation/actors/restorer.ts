/** Restores from one bucket alone, with core's own restore, and finds the state that came back. */

import fs from 'node:fs';
import path from 'node:path';
import type { Encryption } from '../../../packages/core/src/encryption/age.ts';
import type { RestoreTarget } from '../../../packages/core/src/restore/plan/listing.ts';
import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import { IDENTITY } from '../ports/age-file.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import { hashOf, type Ledger, type State } from './ledger.ts';
import { ROOT } from './replicator.ts';

export type Restored =
  | { readonly kind: 'state'; readonly txid: bigint; readonly hash: string; readonly state: State }
  | { readonly kind: 'failed'; readonly why: string };

export class Restorer {
  readonly #core: Core;
  readonly #ledger: Pick<Ledger, 'find'>;
  readonly #output: string;
  #count = 0;
  /** What each bucket restored to since its objects last changed. */
  readonly #known = new Map<
    string,
    { readonly version: number; readonly results: Map<string, Restored> }
  >();

  constructor({
    core,
    ledger,
    folder,
  }: {
    core: Core;
    ledger: Pick<Ledger, 'find'>;
    folder: string;
  }) {
    this.#core = core;
    this.#ledger = ledger;
    this.#output = path.join(folder, 'restored.db');
  }

  get count(): number {
    return this.#count;
  }

  /** The same objects restore to the same state: that is not done twice in a row. */
  async restore(bucket: Bucket, target: RestoreTarget): Promise<Restored> {
    const { name, version } = bucket;
    const key = describe(target);
    const known = this.#known.get(name);
    const results = known?.version === version ? known.results : new Map<string, Restored>();
    const result = results.get(key) ?? (await this.restoreFrom(bucket, bucket.observer(), target));
    this.#known.set(name, { version, results: results.set(key, result) });
    if (result.kind === 'failed') return result;
    return { ...result, state: this.#ledger.find(result.hash) ?? result.state }; // it may be committed again
  }

  async restoreFrom(
    bucket: Bucket,
    observer: ReplicaClient,
    target: RestoreTarget,
  ): Promise<Restored> {
    this.#count += 1;
    const { name } = bucket;
    const encryption = encryptionOf(this.#core, bucket);
    const client = new this.#core.Destination(observer, { encryption }).replica(ROOT);
    try {
      const report = await this.#core.restore({
        sources: [{ name, client }],
        output: this.#output,
        target,
        overwrite: 'replace',
      });
      const hash = hashOf(fs.readFileSync(this.#output));
      const state = this.#ledger.find(hash);
      if (state !== undefined) {
        return { kind: 'state', txid: BigInt(`0x${report.txid}`), hash, state };
      }
      return { kind: 'failed', why: `${name} restores at ${report.txid} what was never committed` };
    } catch (error) {
      const why = `${name} cannot restore ${describe(target)}: ${String(error)}`;
      return { kind: 'failed', why };
    } finally {
      fs.rmSync(this.#output, { force: true });
    }
  }
}

/** With the identity, for reads. */
export function encryptionOf(core: Core, { isEncrypted }: Bucket): Encryption | undefined {
  if (!isEncrypted) return undefined;
  return new core.Encryption({ recipients: [], identities: async () => [IDENTITY] });
}

function describe(target: RestoreTarget): string {
  switch (target.kind) {
    case 'latest':
      return 'the newest state';
    case 'txid':
      return `TXID ${target.txid}`;
    case 'timestamp':
      return `the state as of ${target.at.toISOString()}`;
  }
}
