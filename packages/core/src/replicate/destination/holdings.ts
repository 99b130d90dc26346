/** What one destination holds, as we know it: listed, then kept up by what we write there. */

import type { LTXFileInfo } from '../../replica/replica.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import { FileSet } from '../../replica/file-set.ts';
import { type Admission, type Chain, describeDamage } from './admission.ts';
import type { ListedDestination } from './lister.ts';
import { type DestinationView, type Seed, type SeedWrite, SNAPSHOT_LEVEL } from './next.ts';
import type { Written } from './sender.ts';

export class Holdings {
  #files = new FileSet();
  /** undefined until it has been listed, and after a surprise there. */
  #admission: Admission | undefined;
  #pageSize = 0;
  #seeding: Seed | undefined;
  /** Up to this TXID names are taken by files that are not ours, whether they are listed or not. */
  #floor = 0n;
  /** Snapshots whose names were taken. A listing tells whether somebody else's is there. */
  #suspects: LTXFileRef[] = [];
  /** Files that were written while a listing was on its way, which may not show them. */
  #meanwhile: LTXFileInfo[] | undefined;

  get chain(): Chain | undefined {
    return this.#admission?.chain;
  }

  /** What is wrong with what is there; undefined where nothing is known to be. */
  get why(): string | undefined {
    return this.#admission?.why;
  }

  /** The highest TXID that is taken there, at any level; 0n before it is listed. */
  get highest(): bigint {
    const { highest } = this.#files;
    return highest > this.#floor ? highest : this.#floor;
  }

  get seeding(): Seed | undefined {
    return this.#seeding;
  }

  /** Everything up to this TXID can be restored from here; undefined while nothing of ours can. */
  get replicatedTXID(): bigint | undefined {
    return this.chain === 'ours' && this.#seeding === undefined ? this.highest : undefined;
  }

  /** Staged files up to this TXID are not wanted here any more. */
  get releasableTXID(): bigint {
    if (this.#seeding !== undefined) return this.#seeding.txid - 1n;
    return this.chain === 'ours' ? this.highest : 0n;
  }

  /** Newest snapshot here: its TXID and when it was written; undefined where there is none. */
  get newestSnapshot(): { txid: bigint; modifiedAtMs: number } | undefined {
    const newest = this.#files.newestOf(SNAPSHOT_LEVEL);
    if (newest === undefined) return undefined;
    return { txid: newest.maxTXID, modifiedAtMs: newest.modifiedAt.getTime() };
  }

  /** How many files are there. */
  get fileCount(): number {
    return this.#files.count;
  }

  hasSnapshot(txid: bigint): boolean {
    return this.#files.topOf(SNAPSHOT_LEVEL) >= txid;
  }

  view(chain: Chain): DestinationView {
    return {
      files: this.#files,
      highest: this.highest,
      chain,
      lineage: this.#admission?.lineage ?? 0n,
      why: this.why,
      pageSize: this.#pageSize,
      seeding: this.#seeding,
    };
  }

  /** A listing begins: what is written from now on may not be in it. */
  listingBegins(): void {
    this.#meanwhile = [];
  }

  listed({ files, pageSize }: ListedDestination, admit: (files: FileSet) => Admission): void {
    for (const file of this.#meanwhile ?? []) files.add(file);
    this.#meanwhile = undefined;
    const before = this.#files;
    this.#files = files;
    const isIntact = this.#seeding?.writes.every(({ ref }) => !before.has(ref) || files.has(ref));
    if (isIntact === true) return; // the seed goes on, and decides
    this.#seeding = undefined;
    this.#pageSize = pageSize;
    const isMixed = this.#floor > 0n || this.#suspects.some((suspect) => files.has(suspect));
    this.#suspects = [];
    this.#admission = isMixed ? TAKEN : admit(files);
  }

  /**
   * The name of `file` is taken by somebody else. It is to be listed before anything else. A name that
   * must be given is passed over, also where no listing shows it; of a snapshot, the next one has
   * another name, so only one that is listed matters: a restore would begin with it.
   */
  taken(file: LTXFileRef, need: SeedWrite['need']): void {
    if (need === 'optional') this.#suspects.push(file);
    else if (file.maxTXID > this.#floor) this.#floor = file.maxTXID;
    this.unknown();
  }

  /** It is to be listed again before anything else. */
  unknown(): void {
    this.#admission = undefined;
    this.#seeding = undefined;
  }

  wrote({ info, sent, pageSize }: Written): void {
    this.#files.add(info);
    this.#meanwhile?.push(info);
    if (info.level !== 0 || this.#seeding !== undefined || this.#admission === undefined) return;
    this.#pageSize = pageSize;
    this.#admission = { ...this.#admission, lineage: sent.lineage };
  }

  /** The next file of `seed`, which is under way from now on; undefined when it is whole. */
  seed(seed: Seed): SeedWrite | undefined {
    this.#seeding = seed;
    return seed.writes.find(({ ref }) => !this.#files.has(ref));
  }

  /** It holds what it must. */
  seeded({ lineage, pageSize }: Seed): void {
    this.#seeding = undefined;
    this.#pageSize = pageSize;
    this.#floor = 0n;
    const why = describeDamage(this.#files);
    this.#admission = { chain: why === undefined ? 'ours' : 'damaged', lineage, why };
  }

  /** What is left of the seed is not staged any more. */
  abandonSeed(): void {
    this.#seeding = undefined;
    this.#admission = { chain: 'half-seeded', lineage: 0n, why: undefined };
  }
}

const TAKEN: Admission = {
  chain: 'foreign',
  lineage: 0n,
  why: 'another writer has already written a file with the name of our next one',
};
