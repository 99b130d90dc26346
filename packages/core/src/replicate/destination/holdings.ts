/** The known contents of one destination: its last listing, updated with the files that we write. */

import { LEVEL_SNAPSHOT } from '../../history/levels.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import { FileSet } from '../../replica/file-set.ts';
import { type Admission, type Chain, describeDamage, type SentRecord } from './admission.ts';
import type { ListedDestination } from './lister.ts';
import { FilesInFlight } from './queues/files-in-flight.ts';
import { ResizedFiles } from './resized.ts';
import type { DestinationView, Seed, SeedWrite } from './next.ts';
import type { Written } from './sender.ts';

export class Holdings {
  readonly inFlight: FilesInFlight = new FilesInFlight();
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
  /** Files deleted during a listing, which may include them. */
  #deletedDuringListing: LTXFileRef[] = [];
  readonly #resized = new ResizedFiles();
  /** Sizes of the files above level 0 that this process has written, by name. */
  readonly #own = new Map<string, number>();

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

  /** The record of a file that was written there, if level 0 does not contain more. */
  toChange(file: LTXFileRef, sent: SentRecord): { sent?: SentRecord } {
    if (file.level !== 0 && !this.#isAhead(file)) return {};
    return { sent: { ...sent, since: this.#seeding?.txid ?? this.#admission?.since } };
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
    const newest = this.#files.newestOf(LEVEL_SNAPSHOT);
    if (newest === undefined) return undefined;
    return { txid: newest.maxTXID, modifiedAtMs: newest.modifiedAt.getTime() };
  }

  /** When the newest file was written, by the clock of the server; undefined if there is none. */
  get newestAt(): Date | undefined {
    const newest = this.#files.levels.map(({ level }) => this.#files.newestOf(level));
    const times = newest.flatMap((file) => (file === undefined ? [] : [file.modifiedAt.getTime()]));
    return times.length === 0 ? undefined : new Date(Math.max(...times));
  }

  /** Number of files. */
  get fileCount(): number {
    return this.#files.count;
  }

  /** Total size of the files. */
  get sizeBytes(): number {
    return this.#files.sizeBytes;
  }

  /** All files. */
  all(): LTXFileInfo[] {
    return this.#files.all();
  }

  has(file: LTXFileRef): boolean {
    return this.#files.has(file);
  }

  /** Whether this process has written a file above level 0, so that it was whole with this size. */
  isOwn(file: Pick<LTXFileInfo, 'level' | 'minTXID' | 'maxTXID' | 'sizeBytes'>): boolean {
    return this.#own.get(describeFile(file)) === file.sizeBytes;
  }

  hasSnapshot(txid: bigint): boolean {
    return this.#files.topOf(LEVEL_SNAPSHOT) >= txid;
  }

  view(chain: Chain): DestinationView {
    return {
      files: this.#files,
      highest: this.highest,
      chain,
      lineage: this.#admission?.lineage ?? 0n,
      since: this.#admission?.since ?? 0n,
      why: this.why,
      pageSize: this.#pageSize,
      seeding: this.#seeding,
    };
  }

  /** A listing begins. It may not include files written from now on. */
  listingBegan(): void {
    this.#writtenDuringListing = [];
    this.#deletedDuringListing = [];
  }

  listed(
    { files, pageSize, unusable }: ListedDestination,
    admit: (files: FileSet) => Admission,
  ): void {
    for (const file of this.#writtenDuringListing ?? []) files.add(file);
    this.#writtenDuringListing = undefined;
    for (const file of this.#deletedDuringListing) files.remove(file);
    const before = this.#files;
    this.#files = files;
    const resized = this.#resized.update(before, files);
    if (this.#seeding !== undefined && isIntact(this.#seeding, before, files)) return; // the seed continues; `seeded` sets the admission
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

  /**
   * Whether `file` contains more than level 0 does: a merged file that stands for files of level 0. An
   * image is written to other levels first during a seed, but counts only with its file of level 0.
   */
  #isAhead({ level, maxTXID }: LTXFileRef): boolean {
    const isMerged = level > 0 && level < LEVEL_SNAPSHOT && this.#seeding === undefined;
    return isMerged && maxTXID > this.#files.topOf(0) && maxTXID === this.#files.highest;
  }

  /** The highest TXID of a level; undefined while the contents are not ours. */
  topOf(level: number): bigint | undefined {
    return this.chain === 'ours' ? this.#files.topOf(level) : undefined;
  }

  wrote({ info, sent, pageSize }: Written): void {
    this.#files.add(info);
    this.#writtenDuringListing?.push(info);
    if (info.level > 0) this.#own.set(describeFile(info), info.sizeBytes);
    if (info.level !== 0 || this.#seeding !== undefined || this.#admission === undefined) return;
    this.#pageSize = pageSize;
    this.#admission = { ...this.#admission, lineage: sent.lineage };
  }

  /** The destination has confirmed that these files are deleted. */
  deleted(files: readonly LTXFileRef[]): void {
    for (const file of files) {
      this.#files.remove(file);
      this.#own.delete(describeFile(file));
    }
    if (this.#writtenDuringListing !== undefined) this.#deletedDuringListing.push(...files);
  }

  /** Starts or continues `seed`. Returns its next file, or undefined if all are written. */
  seed(seed: Seed): SeedWrite | undefined {
    this.#seeding = seed;
    return seed.writes.find(({ ref }) => !this.#files.has(ref));
  }

  /** All required files of the seed are written. */
  seeded({ txid, lineage, pageSize }: Seed): void {
    this.#seeding = undefined;
    this.#pageSize = pageSize;
    this.#floor = 0n;
    const why = describeDamage(this.#files);
    const chain = why === undefined ? 'ours' : 'damaged';
    this.#admission = { chain, lineage, since: txid, why };
  }

  /** The remaining files of the seed are no longer staged. */
  abandonSeed(): void {
    this.#seeding = undefined;
    this.#admission = { chain: 'half-seeded', lineage: 0n, why: undefined };
  }
}

/** Whether all files of the seed that were written are still there, and none has a higher TXID. */
function isIntact({ txid, writes }: Seed, before: FileSet, now: FileSet): boolean {
  if (now.highest > txid) return false;
  return writes.every(({ ref }) => !before.has(ref) || (now.get(ref)?.sizeBytes ?? 0) > 0);
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
