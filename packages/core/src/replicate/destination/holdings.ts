/** The known contents of one destination: its last listing, updated with the files that we write. */

import type { LTXFileInfo } from '../../replica/replica.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import { FileSet } from '../../replica/file-set.ts';
import { type Admission, type Chain, describeDamage } from './admission.ts';
import type { ListedDestination } from './lister.ts';
import { ResizedFiles } from './resized.ts';
import { type DestinationView, type Seed, type SeedWrite, SNAPSHOT_LEVEL } from './next.ts';
import type { Written } from './sender.ts';

export class Holdings {
  #files = new FileSet();
  /** undefined until the destination is listed, and after an unexpected answer. */
  #admission: Admission | undefined;
  #pageSize = 0;
  #seeding: Seed | undefined;
  /** Names up to this TXID are taken by foreign files, whether or not they are listed. */
  #floor = 0n;
  /** Snapshots whose names were taken. The next listing shows whether a foreign one exists. */
  #takenSnapshots: LTXFileRef[] = [];
  /** Files written during a listing, which may not include them. */
  #writtenDuringListing: LTXFileInfo[] | undefined;
  readonly #resized = new ResizedFiles();

  get chain(): Chain | undefined {
    return this.#admission?.chain;
  }

  /** Description of what is wrong with the contents; undefined if nothing is. */
  get why(): string | undefined {
    return this.#admission?.why;
  }

  /** The highest TXID in use at any level; 0n before the first listing. */
  get highest(): bigint {
    const { highest } = this.#files;
    return highest > this.#floor ? highest : this.#floor;
  }

  get seeding(): Seed | undefined {
    return this.#seeding;
  }

  /** Everything up to this TXID can be restored; undefined while nothing of ours can. */
  get replicatedTXID(): bigint | undefined {
    return this.chain === 'ours' && this.#seeding === undefined ? this.highest : undefined;
  }

  /** Staged files up to this TXID are no longer needed for this destination. */
  get releasableTXID(): bigint {
    if (this.#seeding !== undefined) return this.#seeding.txid - 1n;
    return this.chain === 'ours' ? this.highest : 0n;
  }

  /** TXID and write time of the newest snapshot; undefined if there is none. */
  get newestSnapshot(): { txid: bigint; modifiedAtMs: number } | undefined {
    const newest = this.#files.newestOf(SNAPSHOT_LEVEL);
    if (newest === undefined) return undefined;
    return { txid: newest.maxTXID, modifiedAtMs: newest.modifiedAt.getTime() };
  }

  /** Number of files. */
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

  /** A listing begins. It may not include files written from now on. */
  listingBegan(): void {
    this.#writtenDuringListing = [];
  }

  listed(
    { files, pageSize, unusable }: ListedDestination,
    admit: (files: FileSet) => Admission,
  ): void {
    for (const file of this.#writtenDuringListing ?? []) files.add(file);
    this.#writtenDuringListing = undefined;
    const before = this.#files;
    this.#files = files;
    const resized = this.#resized.update(before, files);
    const isIntact = this.#seeding?.writes.every(
      ({ ref }) => !before.has(ref) || (files.get(ref)?.sizeBytes ?? 0) > 0,
    );
    if (isIntact === true) return; // the seed continues; `seeded` sets the admission
    this.#seeding = undefined;
    this.#pageSize = pageSize;
    const isMixed = this.#floor > 0n || this.#takenSnapshots.some((file) => files.has(file));
    this.#takenSnapshots = [];
    this.#admission = isMixed ? TAKEN : withCause(admit(files), unusable ?? resized);
  }

  /**
   * A foreign file has the name of `file`; a listing is required. The name of a required file is
   * skipped even if no listing shows it. The next snapshot will have another name, so a taken snapshot
   * name matters only if it is listed, because a restore would begin with that file.
   */
  nameTaken(file: LTXFileRef, need: SeedWrite['need']): void {
    if (need === 'optional') this.#takenSnapshots.push(file);
    else if (file.maxTXID > this.#floor) this.#floor = file.maxTXID;
    this.requireListing();
  }

  /** Requires a new listing before anything else. */
  requireListing(): void {
    this.#admission = undefined;
    this.#seeding = undefined;
  }

  wrote({ info, sent, pageSize }: Written): void {
    this.#files.add(info);
    this.#writtenDuringListing?.push(info);
    if (info.level !== 0 || this.#seeding !== undefined || this.#admission === undefined) return;
    this.#pageSize = pageSize;
    this.#admission = { ...this.#admission, lineage: sent.lineage };
  }

  /** Starts or continues `seed`. Returns its next file, or undefined if all are written. */
  seed(seed: Seed): SeedWrite | undefined {
    this.#seeding = seed;
    return seed.writes.find(({ ref }) => !this.#files.has(ref));
  }

  /** All required files of the seed are written. */
  seeded({ lineage, pageSize }: Seed): void {
    this.#seeding = undefined;
    this.#pageSize = pageSize;
    this.#floor = 0n;
    const why = describeDamage(this.#files);
    this.#admission = { chain: why === undefined ? 'ours' : 'damaged', lineage, why };
  }

  /** The remaining files of the seed are no longer staged. */
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

/** Adds why files that are listed do not count. */
function withCause(admission: Admission, cause: string | undefined): Admission {
  const { why } = admission;
  if (why === undefined || cause === undefined) return admission;
  return { ...admission, why: `${why}: ${cause}` };
}
