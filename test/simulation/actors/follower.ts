/**
 * A warm copy that follows one or two buckets with core's own follower. Its files are real. It is killed at any
 * call or write, and restarted. After each report, and after each death, the copy is compared with what was
 * staged.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { LEVEL_SNAPSHOT } from '../../../packages/core/src/history/levels.ts';
import type { FollowEvent, FollowSource } from '../../../packages/core/src/warm-copy/follower.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { Broken } from '../claims.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import { SimulatedProcess } from '../ports/process.ts';
import { realFilesOf } from '../ports/real-files.ts';
import type { VirtualTime } from '../ports/virtual-time.ts';
import { ROOT, toCoreRandom } from './replicator.ts';
import { encryptionOf } from './restorer.ts';
import { fileNameOf, hashOfCopy, type StagedState, type Truth } from './truth.ts';

const INTERVALS_MS = [1_000, 5_000, 30_000];
const TWO_BUCKETS_CHANCE = 0.3;
const START_CHANCE = 0.4;
const KILL_CHANCE = 0.2;
const CALLS_MAX = 40;
const END_CHANCE = 0.03;

export interface FollowerInput {
  readonly core: Core;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly truth: Truth;
  readonly folder: string;
  readonly buckets: readonly Bucket[];
  readonly note: (what: string) => void;
  readonly onBroken: (error: unknown) => void;
}

interface Running {
  readonly process: SimulatedProcess;
  readonly controller: AbortController;
}

/** Why a poll did not lead to the newest state. */
type Trouble = Extract<FollowEvent, { kind: 'older' | 'failing' }>;

export class Follower {
  readonly #input: FollowerInput;
  readonly #output: string;
  readonly #buckets: readonly Bucket[];
  readonly #intervalMs: number;
  #running: Running | undefined;
  /** What the copy held when it was last looked at. */
  #held: StagedState | undefined;
  #timestampMs = -Infinity;
  #trouble: Trouble | undefined;
  #count = 0;

  constructor(input: FollowerInput) {
    const { random, folder, buckets } = input;
    this.#input = input;
    this.#output = path.join(folder, 'copy.db');
    const first = random.pick(buckets);
    const others = buckets.filter((bucket) => bucket !== first);
    this.#buckets = random.chance(TWO_BUCKETS_CHANCE) ? [first, random.pick(others)] : [first];
    this.#intervalMs = random.pick(INTERVALS_MS);
  }

  get description(): string {
    return `of ${this.#buckets.map(({ name }) => name).join(' or ')}, every ${this.#intervalMs} ms`;
  }

  /** Number of states that were compared. */
  get count(): number {
    return this.#count;
  }

  /** What it reported last, if that was not progress. */
  get trouble(): string | undefined {
    const trouble = this.#trouble;
    return trouble?.kind === 'failing' ? trouble.error.message : trouble?.kind;
  }

  /** Between two steps of a run: it starts, ends, or is about to be killed. */
  step(): void {
    const { random } = this.#input;
    if (this.#running?.process.isDead === true) this.bury();
    if (this.#running === undefined) {
      if (random.chance(START_CHANCE)) this.start();
    } else if (random.chance(KILL_CHANCE)) {
      this.#running.process.killAfter(random.int(1, CALLS_MAX));
    } else if (random.chance(END_CHANCE)) {
      const { process, controller } = this.#running;
      process.run(() => controller.abort(new Error('the follower was stopped')));
    }
  }

  /** Starts it, unless it runs. */
  start(): void {
    if (this.#running !== undefined) return;
    const { time, random, note } = this.#input;
    const process = new SimulatedProcess('follower', time, random);
    process.descriptors = new Set();
    process.handles = new Set();
    const controller = new AbortController();
    this.#running = { process, controller };
    note('the follower starts');
    void process.run(() => this.#run(process, controller.signal));
  }

  /** It runs from now on. */
  restart(): void {
    if (this.#running?.process.isDead === true) this.bury();
    this.start();
    this.#running?.process.killAfter(Infinity);
  }

  end(): void {
    this.#running?.process.kill();
    this.#running = undefined;
  }

  /** Ends a follower that is dead, and opens its copy as a reader does. */
  bury(): void {
    const running = this.#running;
    if (running === undefined) return;
    running.process.kill();
    this.#running = undefined;
    const { killedAt } = running.process;
    this.#input.note(`the follower dies at ${killedAt}`);
    if (!fs.existsSync(this.#output)) return;
    const hash = readAsSQLite(this.#output);
    const found = this.#input.truth.copiedBy(hash);
    if (found.length === 0) {
      throw new Broken('warm copy', `after a death at ${killedAt}, it is no state that was staged`);
    }
    this.#count += 1;
    if (this.#held !== undefined && found.includes(this.#held)) return;
    // The state that was being written. The next start says which one it is.
    this.#held = undefined;
  }

  /** Whether the copy holds the newest TXID of its buckets. A higher one may have been lost with the staging folder. */
  isCurrent(): boolean {
    const files = this.#buckets.flatMap(({ store }) => [...store.objects.keys()].map(fileNameOf));
    const newest = files.reduce((max, file) => Math.max(max, file?.max ?? 0), 0);
    return this.#held?.txid === newest;
  }

  async #run(process: SimulatedProcess, signal: AbortSignal): Promise<void> {
    const { core, time, random, onBroken } = this.#input;
    try {
      const follower = await core.Follower.open({
        output: this.#output,
        overwrite: 'refuse',
        onEvent: (event) => {
          if (!process.isDead) this.#onEvent(event);
        },
        signal,
        ports: {
          files: realFilesOf(process),
          clock: time.quietClock,
          random: toCoreRandom(random),
        },
      });
      const sources = this.#buckets.map((bucket) => this.#sourceOf(bucket, process));
      if (follower.status === undefined) {
        const [first] = sources;
        if (first === undefined) throw new Error('there is a bucket to follow');
        await core.restore({
          sources: [await first.open(signal)],
          output: this.#output,
          target: { kind: 'latest' },
          onVerified: follower.makeCopy.bind(follower),
          signal,
          clock: time.quietClock,
        });
      }
      await follower.follow({ sources, intervalMs: this.#intervalMs });
      await follower.close();
    } catch (error) {
      if (process.isDead) return;
      if (signal.aborted) return process.kill();
      // Without a backup that can be restored, the first restore ends the process.
      if (!core.isError(error)) onBroken(error);
      else if (error.code === 'DATABASE_REPLACED') onBroken(new Broken('warm copy', error.message));
      else this.#input.note(`the follower ends: ${error.code}`);
    }
    process.kill();
  }

  #sourceOf(bucket: Bucket, process: SimulatedProcess): FollowSource {
    const { core, time, random } = this.#input;
    const destination = new core.Destination(bucket.readerFor(process, random), {
      clock: time.quietClock,
      random: () => random.next(),
      access: 'read',
      encryption: encryptionOf(core, bucket),
    });
    const { name } = bucket;
    const { capabilities } = destination;
    return { name, open: async () => ({ name, client: destination.replica(ROOT), capabilities }) };
  }

  #onEvent(event: FollowEvent): void {
    try {
      this.#verify(event);
    } catch (error) {
      this.#input.onBroken(error);
    }
  }

  #verify(event: FollowEvent): void {
    switch (event.kind) {
      case 'older':
      case 'failing':
        this.#trouble = event;
        return;
      case 'recovered':
      case 'avoided':
      case 'blocked':
        return;
      case 'following':
      case 'current':
      case 'applied':
      case 'rebased':
        break;
    }
    const { truth, time, note } = this.#input;
    this.#trouble = undefined;
    const txid = Number(`0x${event.txid}`);
    const before = this.#held;
    if (event.kind === 'current' && before?.txid === txid) return;
    const states = truth.all(txid);
    const hash = hashOfCopy(fs.readFileSync(this.#output));
    const matching = states.filter(({ copyHash }) => copyHash === hash);
    if (matching.length === 0) {
      throw new Broken('warm copy', `${event.kind}: TXID ${txid} in it is another state`);
    }
    const after = before && matching.includes(before) ? before : matching.at(-1);
    note(`the copy is at TXID ${txid}: ${describe(event)}`);
    if (
      event.kind === 'applied' &&
      before !== undefined &&
      !matching.some((each) => continues(before, each)) &&
      !this.#hasSnapshot(before.txid, txid)
    ) {
      throw new Broken(
        'warm copy',
        `TXID ${before.txid} does not lead to ${txid}, and it is not rebased`,
      );
    }
    const timestampMs = event.timestamp.getTime();
    if (timestampMs < this.#timestampMs && !time.wasWrong) {
      throw new Broken('warm copy', `${event.kind}: TXID ${txid} is older than what it held`);
    }
    this.#timestampMs = timestampMs;
    this.#held = after;
    this.#count += 1;
  }

  /** Whether a bucket has a full snapshot of a state after `from` and up to `to`: it leads from any state. */
  #hasSnapshot(from: number, to: number): boolean {
    return this.#buckets.some(({ store }) =>
      [...store.objects.keys()].map(fileNameOf).some((file) => {
        return file?.level === LEVEL_SNAPSHOT && file.max > from && file.max <= to;
      }),
    );
  }
}

function describe(event: FollowEvent): string {
  return event.kind === 'rebased' ? `rebased, ${event.reason}` : event.kind;
}

/** Whether transactions lead from one state to the other. A full snapshot on the way is a beginning. */
function continues(before: StagedState, after: StagedState): boolean {
  for (let state: StagedState | undefined = after; state !== undefined; state = state.parent) {
    if (state === before) return true;
    if (state.txid <= before.txid) return state.hash === before.hash;
    if (state.decoded.isFull) return true;
  }
  return false;
}

/** Opens a copy as another program does, which undoes a change that a crash interrupted. */
function readAsSQLite(file: string): string {
  const database = new Database(file, { fileMustExist: true, timeout: 0 });
  try {
    const problem: unknown = database.pragma('quick_check', { simple: true });
    if (problem !== 'ok') throw new Broken('warm copy', `after a death: ${String(problem)}`);
    return hashOfCopy(database.serialize());
  } finally {
    database.close();
  }
}
