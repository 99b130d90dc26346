/** What one destination holds, as we know it: listed once, then kept up by what we write there. */

import type { LTXFileInfo } from '../replica/client.ts';
import type { Chain } from './admission.ts';
import {
  addToManifest,
  EMPTY_MANIFEST,
  hasFile,
  highestOf,
  SNAPSHOT_LEVEL,
  topOf,
  type Manifest,
} from './manifest.ts';
import type { DestinationView, Seed, SeedWrite } from './next.ts';

export class Holdings {
  #manifest: Manifest = EMPTY_MANIFEST;
  #chain: Chain | undefined;
  #pageSize = 0;
  #seeding: Seed | undefined;

  /** undefined until it has been listed, and after another writer was seen there. */
  get chain(): Chain | undefined {
    return this.#chain;
  }

  /** The highest TXID there, of any level; 0n before it is listed. */
  get highest(): bigint {
    return highestOf(this.#manifest);
  }

  get seeding(): Seed | undefined {
    return this.#seeding;
  }

  /** Everything up to this TXID can be restored from here; undefined while nothing of ours can. */
  get replicatedTXID(): bigint | undefined {
    return this.#chain === 'ours' && this.#seeding === undefined ? this.highest : undefined;
  }

  /** Staged files up to this TXID are not wanted here any more. */
  get releasableTXID(): bigint {
    if (this.#seeding !== undefined) return this.#seeding.txid - 1n;
    return this.#chain === 'ours' ? this.highest : 0n;
  }

  /** Newest snapshot here: its TXID and when it was written; undefined where there is none. */
  get newestSnapshot(): { txid: bigint; modifiedAtMs: number } | undefined {
    const top = this.#manifest.get(SNAPSHOT_LEVEL);
    return top === undefined ? undefined : { txid: top.maxTXID, modifiedAtMs: top.modifiedAtMs };
  }

  hasSnapshot(txid: bigint): boolean {
    return topOf(this.#manifest, SNAPSHOT_LEVEL) >= txid;
  }

  view(chain: Chain): DestinationView {
    return {
      manifest: this.#manifest,
      chain,
      pageSize: this.#pageSize,
      seeding: this.#seeding,
    };
  }

  listed(manifest: Manifest, pageSize: number, chain: Chain): void {
    this.#manifest = manifest;
    this.#pageSize = pageSize;
    this.#chain = chain;
  }

  /** It is to be listed again before anything else. */
  unknown(): void {
    this.#chain = undefined;
    this.#seeding = undefined;
  }

  wrote(file: LTXFileInfo): void {
    this.#manifest = addToManifest(this.#manifest, file);
  }

  /** An increment of a known page size was written. */
  pageSizeIs(pageSize: number): void {
    if (pageSize !== 0) this.#pageSize = pageSize;
  }

  /** The next file of `seed`, which is under way from now on; undefined when it is whole. */
  seed(seed: Seed): SeedWrite | undefined {
    this.#seeding = seed;
    return seed.writes.find(({ ref }) => !hasFile(this.#manifest, ref));
  }

  seeded(seed: Seed): void {
    this.#seeding = undefined;
    this.#chain = 'ours';
    this.#pageSize = seed.pageSize;
  }

  /** What is left of the seed is not staged any more. */
  seedIsLost(): void {
    this.#seeding = undefined;
    this.#chain = 'half-seeded';
  }
}
