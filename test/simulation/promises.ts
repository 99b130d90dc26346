/**
 * The moments that a destination has promised to restore, from what was staged and acknowledged and from
 * the policy alone. Nothing here knows how core plans, merges or deletes.
 *
 * Promised are, of the states that a destination has acknowledged:
 *  - the newest one,
 *  - every one that was written there within the lifetime of level 0,
 *  - the last one of each window of level 1 that is over, within the retention,
 *  - one that shows the database as it was a retention ago.
 */

import { Broken } from './claims.ts';
import { toTXID } from '../../packages/core/src/ltx/txid.ts';
import type { Ledger } from './actors/ledger.ts';
import type { Restorer } from './actors/restorer.ts';
import { fileNameOf, type FileName, type StagedState, type Truth } from './actors/truth.ts';
import type { Bucket } from './ports/bucket.ts';
import type { VirtualTime } from './ports/virtual-time.ts';

/** How long files are kept, and how their times are merged. Infinity: nothing is deleted. */
export interface Policy {
  readonly levels: readonly { readonly level: number; readonly intervalMs: number }[];
  readonly retentionMs: number;
  readonly l0RetentionMs: number;
  readonly snapshotIntervalMs: number;
}

/** A state that a destination has. */
interface Moment {
  readonly state: StagedState;
  /** When it was first written there. */
  readonly writtenAt: number;
}

interface Book {
  /** In the order of TXIDs. */
  moments: Moment[];
  /** The newest TXID that a status has called replicated. */
  acknowledged: number;
  seenDamageAt: number | undefined;
}

export class PromiseBook {
  readonly #truth: Truth;
  readonly #ledger: Ledger;
  readonly #time: VirtualTime;
  readonly #policy: Policy;
  readonly #books = new Map<string, Book>();
  readonly #names = new Map<string, FileName | undefined>();

  constructor(input: {
    readonly truth: Truth;
    readonly ledger: Ledger;
    readonly time: VirtualTime;
    readonly policy: Policy;
    readonly buckets: readonly Bucket[];
  }) {
    this.#truth = input.truth;
    this.#ledger = input.ledger;
    this.#time = input.time;
    this.#policy = input.policy;
    for (const { name } of input.buckets) {
      this.#books.set(name, { moments: [], acknowledged: 0, seenDamageAt: undefined });
    }
  }

  /** An object was written. Throws if it is a file that has other pages than its name promises. */
  stored(bucket: Bucket, key: string, bytes: Uint8Array): void {
    const file = this.#nameOf(key);
    if (file === undefined) return;
    const state = this.#truth.check(file, bytes);
    if (typeof state === 'string') {
      throw new Broken('exact files', `${bucket.name} gets ${describe(file)}: ${state}`);
    }
    if (state?.hash !== undefined && this.#ledger.find(state.hash) === undefined) {
      const why = `TXID ${file.max} is a state that was never committed`;
      throw new Broken('exact files', `${bucket.name} gets ${describe(file)}: ${why}`);
    }
    const { moments, acknowledged } = this.#bookOf(bucket);
    const isKnown = moments.some((moment) => moment.state.txid === file.max);
    if (state === undefined || isKnown) return;
    // A file from before a full snapshot may lead nowhere.
    const isOld = file.max < acknowledged;
    if (isOld && !reachable(this.files(bucket)).includes(file.max)) return;
    moments.push({ state, writtenAt: this.#time.nowMs });
    moments.sort((a, b) => a.state.txid - b.state.txid);
  }

  /** A status says that the bucket has everything up to `txid`. */
  acknowledged(bucket: Bucket, txid: number): void {
    const book = this.#bookOf(bucket);
    if (txid <= book.acknowledged) return;
    // Files that were written to a destination before it was seeded may lead nowhere.
    const reached = new Set(reachable(this.files(bucket)));
    const isOwed = (each: number): boolean => each === txid || each > txid || reached.has(each);
    book.moments = book.moments.filter(
      ({ state }) => state.txid <= book.acknowledged || isOwed(state.txid),
    );
    book.acknowledged = txid;
  }

  /** The bucket has lost objects: it promises nothing of what was written until now. */
  forget(bucket: Bucket): void {
    const book = this.#bookOf(bucket);
    book.moments = [];
    book.acknowledged = 0;
  }

  /** The newest state that a status has called replicated there. */
  newest(bucket: Bucket): StagedState | undefined {
    const { moments, acknowledged } = this.#bookOf(bucket);
    return moments.findLast(({ state }) => state.txid <= acknowledged)?.state;
  }

  /** The moments that the bucket must restore now, by their TXIDs. */
  promised(bucket: Bucket): StagedState[] {
    return this.#required(bucket).flatMap(([state, upTo]) => (state.txid === upTo ? [state] : []));
  }

  /** Whether files lead to every promised moment, by their names alone. */
  verify(bucket: Bucket): void {
    const files = this.files(bucket);
    const reached = reachable(files);
    for (const [state, upTo] of this.#required(bucket)) {
      if (hasBetween(reached, state.txid, upTo)) continue;
      const age = Math.round((this.#time.nowMs - state.at) / 1_000);
      const what = `${bucket.name} cannot restore TXID ${state.txid}, staged ${age} s ago`;
      throw new Broken('promised moments', `${what}: ${files.map(describe).join(' ')}`);
    }
  }

  /** Whoever lists the bucket now must find a plan for its newest TXID. */
  verifyPlan(bucket: Bucket): void {
    if (this.#bookOf(bucket).acknowledged === 0) return;
    const files = this.files(bucket);
    const newest = files.reduce((max, file) => Math.max(max, file.max), 0);
    if (newest === 0 || hasBetween(reachable(files), newest, newest)) return;
    const listed = files.map(describe).join(' ');
    throw new Broken('a plan at any time', `${bucket.name} has no chain to ${newest}: ${listed}`);
  }

  /**
   * The levels of a destination that has everything, as Litestream merges them: the files of a level that come
   * after the newest file of the levels above have no hole. Level 0 ends with the newest TXID.
   */
  verifyLevels(bucket: Bucket): void {
    // Only the next full snapshot closes a hole that a loss has made.
    const lossAgeMs = this.#time.nowMs - (bucket.damagedAt ?? -Infinity);
    if (bucket.hasMisled || lossAgeMs < 2 * this.snapshotIntervalOf(bucket)) return;
    const files = this.files(bucket);
    const newest = files.reduce((max, file) => Math.max(max, file.max), 0);
    const broken = (why: string): Broken =>
      new Broken(
        'levels without holes',
        `${bucket.name}, ${why}: ${files.map(describe).join(' ')}`,
      );
    for (const level of [0, ...this.#policy.levels.map((each) => each.level)]) {
      const isLast = !this.#policy.levels.some((each) => each.level > level);
      const above = files.filter((file) => file.level > level && file.level < SNAPSHOT_LEVEL);
      const mergedTo = Math.max(0, ...above.map(({ max }) => max));
      const sources = files
        .filter((file) => file.level === level && file.max > mergedTo)
        .sort((a, b) => a.min - b.min);
      // Without a merged file, a merge would begin with the first file. The first seeds leave holes there.
      if (isLast || (level === 0 && mergedTo === 0)) continue;
      let top = mergedTo === 0 ? (sources[0]?.min ?? 1) - 1 : mergedTo;
      for (const { min, max } of sources) {
        if (min > top + 1) throw broken(`level ${level} lacks ${top + 1}`);
        top = Math.max(top, max);
      }
    }
    const last = files.find(
      ({ level, min, max }) => level === 0 && min === newest && max === newest,
    );
    if (newest > 0 && last === undefined) throw broken(`level 0 does not end with ${newest}`);
  }

  /** After everything has worked for a long time: nothing is much older than the policy says. */
  verifyAges(bucket: Bucket, commitEveryMs: number): void {
    const { retentionMs, l0RetentionMs, levels } = this.#policy;
    if (retentionMs === Infinity) return;
    // A database without commits gets no snapshot.
    const snapshotEveryMs = Math.max(this.snapshotIntervalOf(bucket), commitEveryMs);
    const files = [...bucket.store.objects].flatMap(([key, { modifiedAt }]) => {
      const file = this.#nameOf(key);
      return file === undefined ? [] : [{ ...file, ageMs: bucket.ageMs(modifiedAt) }];
    });
    const newestAges = new Map<number, number>();
    for (const { level, ageMs } of files) {
      newestAges.set(level, Math.min(newestAges.get(level) ?? Infinity, ageMs));
    }
    const level1Ms = levels[0]?.intervalMs ?? 0;
    for (const { level, min, max, ageMs } of files) {
      const lifeMs = level === 0 ? l0RetentionMs + level1Ms : retentionMs + 2 * snapshotEveryMs;
      const isNewest = ageMs === newestAges.get(level);
      if (isNewest || ageMs <= lifeMs + AGE_SLACK_MS) continue;
      const why = `${describe({ level, min, max })} is ${Math.round(ageMs / 60_000)} minutes old`;
      throw new Broken('old files go', `${bucket.name}: ${why}`);
    }
  }

  /** Time between full snapshots there. */
  snapshotIntervalOf({ snapshotIntervalMs }: Bucket): number {
    return snapshotIntervalMs ?? this.#policy.snapshotIntervalMs;
  }

  /** Restores some of the promised moments, by TXID and by time. */
  async restoreSome(
    bucket: Bucket,
    restorer: Restorer,
    pick: <T>(values: readonly T[]) => T,
  ): Promise<void> {
    const promised = this.promised(bucket);
    if (promised.length === 0) return;
    await this.#restore(bucket, restorer, pick(promised));
    if (this.#time.wasWrong) return;
    const dated = promised.filter((each) => this.#hasTime(bucket, each));
    if (dated.length === 0) return;
    const timed = pick(dated);
    const at = new Date(timed.timestampMs);
    const found = await restorer.restore(bucket, { kind: 'timestamp', at });
    if (found.kind === 'failed') throw new Broken('promised moments', found.why);
    if (Number(found.txid) >= timed.txid) return;
    const why = `${bucket.name} restores TXID ${found.txid} at the time of ${timed.txid}`;
    throw new Broken('promised moments', why);
  }

  /** Restores every promised moment, by TXID. Returns their number. */
  async restoreAll(bucket: Bucket, restorer: Restorer): Promise<number> {
    const promised = this.promised(bucket);
    for (const state of promised) await this.#restore(bucket, restorer, state);
    return promised.length;
  }

  async #restore(bucket: Bucket, restorer: Restorer, state: StagedState): Promise<void> {
    const restored = await restorer.restore(bucket, {
      kind: 'txid',
      txid: toTXID(BigInt(state.txid)),
    });
    if (restored.kind === 'failed') throw new Broken('promised moments', restored.why);
    if (restored.hash === state.hash) return;
    // After staging was lost, a stale listing may show fewer files than there are: their TXIDs are used again.
    const isUsedAgain = this.#truth.latest(state.txid)?.hash === restored.hash;
    if (bucket.hasMisled && isUsedAgain) return;
    const why = `${bucket.name} restores another state at TXID ${state.txid}`;
    throw new Broken('promised moments', why);
  }

  files(bucket: Bucket): FileName[] {
    return [...bucket.store.objects.keys()].flatMap((key) => this.#nameOf(key) ?? []);
  }

  /** Promised states. A state between the two TXIDs is enough. */
  #required(bucket: Bucket): [StagedState, number][] {
    const { moments, acknowledged } = this.#bookOf(bucket);
    const { retentionMs, l0RetentionMs } = this.#policy;
    const now = this.#time.nowMs;
    const known = moments.filter(({ state }) => state.txid <= acknowledged);
    const newest = known.at(-1);
    if (newest === undefined) return [];
    const required: [StagedState, number][] = [];
    const merges = this.files(bucket).filter(({ level }) => level > 0 && level < SNAPSHOT_LEVEL);
    let before: StagedState | undefined;
    for (const { state, writtenAt } of known) {
      const isLast = state === newest.state;
      const isYoung = now - state.at <= retentionMs;
      const isEnd = this.#endsWindow(state) && !this.#isGivenUp(state, merges);
      if (!isYoung && (isLast || isEnd)) before = state;
      const isInLevel0 = now - writtenAt <= l0RetentionMs;
      if (isLast || isInLevel0 || (isYoung && isEnd)) {
        required.push([state, state.txid]);
      }
    }
    if (before !== undefined) {
      const upTo = known.findLast(({ state }) => now - state.at > retentionMs)?.state.txid;
      required.push([before, upTo ?? before.txid]);
    }
    return required;
  }

  /** Whether the next state is in a later window of level 1. */
  #endsWindow(state: StagedState): boolean {
    return this.#endsWindowOf(state, this.#policy.levels[0]?.intervalMs);
  }

  /**
   * A destination that lacked files has the resolution of the level that replaced them.
   */
  #isGivenUp(state: StagedState, merges: readonly FileName[]): boolean {
    const covers = merges.filter(({ min, max }) => min <= state.txid && state.txid <= max);
    if (covers.length === 0 || covers.some(({ max }) => max === state.txid)) return false;
    const lowest = Math.min(...covers.map(({ level }) => level));
    if (lowest === 1) return false;
    const level = this.#policy.levels.find((each) => each.level === lowest);
    return !this.#endsWindowOf(state, level?.intervalMs);
  }

  #endsWindowOf(state: StagedState, intervalMs: number | undefined): boolean {
    const next = this.#truth.latest(state.txid + 1);
    if (next === undefined || intervalMs === undefined) return false;
    const windowOf = (ms: number): number => Math.floor(ms / intervalMs);
    return windowOf(next.timestampMs) > windowOf(state.timestampMs);
  }

  /** Whether a listed file has the time of this state: a snapshot has a later one. */
  #hasTime(bucket: Bucket, { txid }: StagedState): boolean {
    return this.files(bucket).some(({ level, max }) => level !== SNAPSHOT_LEVEL && max === txid);
  }

  #nameOf(key: string): FileName | undefined {
    if (!this.#names.has(key)) this.#names.set(key, fileNameOf(key));
    return this.#names.get(key);
  }

  #bookOf(bucket: Bucket): Book {
    const book = this.#books.get(bucket.name);
    if (book === undefined) throw new Error(`${bucket.name} is not a bucket of this run`);
    if (book.seenDamageAt !== bucket.damagedAt) {
      book.seenDamageAt = bucket.damagedAt;
      book.moments = [];
      book.acknowledged = 0;
    }
    return book;
  }
}

const SNAPSHOT_LEVEL = 9;
/** The hour for readers, the interval of listings, and time for the deletes. */
const AGE_SLACK_MS = 3 * 3_600_000;

/** The TXIDs that files lead to, ascending. */
function reachable(files: readonly FileName[]): number[] {
  const reached: number[] = [];
  for (const { min, max } of [...files].sort((a, b) => a.max - b.max)) {
    const last = reached.at(-1) ?? 0;
    if (last !== max && min <= last + 1) reached.push(max);
    else if (last !== max && min === 1) reached.push(max);
  }
  return reached;
}

function hasBetween(reached: readonly number[], from: number, to: number): boolean {
  return reached.some((txid) => txid >= from && txid <= to);
}

function describe({ level, min, max }: FileName): string {
  return min === max ? `${level}/${max}` : `${level}/${min}-${max}`;
}
