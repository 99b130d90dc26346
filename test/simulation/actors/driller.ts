/**
 * Runs core's own drill against each bucket alone.
 *
 *  slow      in virtual time, while the replicator writes and deletes and the bucket fails
 *  examined  at one moment, with the process that examines the restored database and compares it with the
 *            live one
 *  damaged   at one moment, of a copy of the bucket in which one thing is damaged
 *
 * A drill that says ok must have restored exactly the state that it names, and not one before the last that
 * was sent there. Where every claim about a bucket counts and it works, it must say ok.
 */

import fs from 'node:fs';
import path from 'node:path';
import type {
  DrillOptions,
  DrillReport,
  DrillTarget,
} from '../../../packages/core/src/drill/drill.ts';
import { parsePosition } from '../../../packages/core/src/database/continuity/position.ts';
import type { ReplicaClient } from '../../../packages/core/src/store/client.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import { Broken, type ClaimBook } from '../claims.ts';
import type { Bucket } from '../ports/bucket.ts';
import type { Core } from '../ports/core.ts';
import type { Disk } from '../ports/disk.ts';
import { SimulatedProcess } from '../ports/process.ts';
import { currentProcess, type VirtualTime } from '../ports/virtual-time.ts';
import type { PromiseBook } from '../promises.ts';
import { damagedCopy } from './damage.ts';
import { hashOf } from './ledger.ts';
import { ROOT } from './replicator.ts';
import { encryptionOf } from './restorer.ts';
import type { StagedState, Truth } from './truth.ts';

const SLOW_CHANCE = 0.08;
const DAMAGED_CHANCE = 0.06;
/** It starts a process. */
const EXAMINED_CHANCE = 0.012;
const RANDOM_TARGET_CHANCE = 0.3;
const ASSERTION = 'SELECT count(*) >= 0 FROM ledger';

export interface DrillerInput {
  readonly core: Core;
  readonly time: VirtualTime;
  readonly random: Random;
  readonly truth: Truth;
  readonly promises: PromiseBook;
  readonly claims: ClaimBook;
  readonly disk: Disk;
  readonly buckets: readonly Bucket[];
  readonly folder: string;
  /** The live database and its staging folder, which is on `disk`. */
  readonly live: { readonly path: string; readonly metaPath: string };
  readonly note: (what: string) => void;
  readonly onBroken: (error: unknown) => void;
}

/** What was known about a bucket when a drill began. */
interface Order {
  readonly bucket: Bucket;
  readonly target: DrillTarget;
  readonly sent: StagedState | undefined;
  /** Whether every claim about the bucket counts, with something to restore. */
  readonly isWhole: boolean;
  readonly startedAt: number;
  readonly damagedAt: number | undefined;
}

export class Driller {
  readonly #input: DrillerInput;
  /** The last state that each bucket was known to have. */
  readonly #sent = new Map<Bucket, StagedState>();
  #isBusy = false;
  #count = 0;

  constructor(input: DrillerInput) {
    this.#input = input;
  }

  get count(): number {
    return this.#count;
  }

  /** Remembers what each bucket has, as `destinations.json` does. */
  #record(): void {
    const { buckets, claims, promises } = this.#input;
    for (const bucket of buckets) {
      const newest = claims.counts(bucket) ? promises.newest(bucket) : undefined;
      if (newest !== undefined) this.#sent.set(bucket, newest);
    }
  }

  /** Between two steps of a run. `application`: a drill compares with a database that is open. */
  async step(application: 'closed' | 'open'): Promise<void> {
    this.#record();
    const { random, buckets } = this.#input;
    const bucket = random.pick(buckets);
    if (!this.#isBusy && random.chance(SLOW_CHANCE)) this.#startSlow(bucket);
    if (random.chance(DAMAGED_CHANCE)) await this.#drillDamaged(bucket);
    if (application === 'open' && random.chance(EXAMINED_CHANCE)) await this.#drillExamined(bucket);
  }

  /** Everything works, and every destination is complete. */
  async drillAll(): Promise<void> {
    for (const bucket of this.#input.buckets) {
      const order = this.#order(bucket, { kind: 'latest' });
      this.#verify(order, await this.#drill(order, bucket.observer(), {}), 'ok');
    }
  }

  #order(bucket: Bucket, target: DrillTarget): Order {
    const { claims, promises, time } = this.#input;
    const newest = claims.counts(bucket) ? promises.newest(bucket) : undefined;
    const { damagedAt } = bucket;
    const sent = newest ?? this.#sent.get(bucket);
    const isWhole = newest !== undefined;
    return { bucket, target, sent, isWhole, startedAt: time.nowMs, damagedAt };
  }

  #startSlow(bucket: Bucket): void {
    const { time, random, onBroken } = this.#input;
    const target: DrillTarget = random.chance(RANDOM_TARGET_CHANCE)
      ? { kind: 'random' }
      : { kind: 'latest' };
    const order = this.#order(bucket, target);
    const process = new SimulatedProcess('drill', time, random);
    this.#isBusy = true;
    void process.run(async () => {
      try {
        const outcome = await this.#drill(order, bucket.readerFor(process, random), {});
        this.#verify(order, outcome, this.#expected(order));
      } catch (error) {
        onBroken(error);
      }
      this.#isBusy = false;
      process.kill();
    });
  }

  /** What a drill must say about a bucket whose condition was the same all the time. */
  #expected({ bucket, isWhole, startedAt, damagedAt }: Order): Expected {
    const { time, claims } = this.#input;
    const isSteady = bucket.steadyMs >= time.nowMs - startedAt;
    const isSame = bucket.damagedAt === damagedAt && claims.counts(bucket);
    if (!isWhole || !isSteady || !isSame) return 'anything';
    switch (bucket.condition) {
      case 'works':
      case 'slow':
        return 'ok';
      case 'flaky':
      case 'down':
      case 'hangs':
        return 'not failed';
      case 'stale':
        return 'anything';
    }
  }

  async #drillDamaged(bucket: Bucket): Promise<void> {
    const { core, random } = this.#input;
    const order = this.#order(bucket, { kind: 'latest' });
    const { client, what, isBehind } = damagedCopy(core, bucket, order.sent?.txid, random);
    const outcome = await this.#drill(order, client, {});
    this.#verify(order, outcome, isBehind ? 'not ok' : 'anything', `, ${what}`);
  }

  async #drillExamined(bucket: Bucket): Promise<void> {
    const { folder, disk, live, promises } = this.#input;
    const order = this.#order(bucket, { kind: 'latest' });
    const file = path.join(live.metaPath, 'position');
    const isThere = (await disk.files.stat(file)) !== undefined;
    const position = isThere ? Buffer.from(await disk.read(file)) : undefined;
    const newest = promises.files(bucket).reduce((max, file) => Math.max(max, file.max), 0);
    const at = position && parsePosition(position.toString());
    // A staging folder that lost files is behind its destinations.
    const isAhead = at !== undefined && at.txid >= BigInt(newest);
    const metaPath = path.join(folder, 'drill-meta');
    if (isAhead && position !== undefined) {
      fs.mkdirSync(metaPath, { recursive: true });
      fs.writeFileSync(path.join(metaPath, 'position'), position);
    }
    const outcome = await this.#drill(order, bucket.observer(), {
      integrityCheck: 'quick',
      assertions: [ASSERTION],
      live: isAhead ? { path: live.path, metaPath } : undefined,
    });
    const { comparison } = outcome.report;
    this.#verify(order, outcome, order.isWhole ? 'ok' : 'anything', `, ${comparison.kind}`);
  }

  async #drill(
    { bucket, target, sent }: Order,
    client: ReplicaClient,
    more: Partial<DrillOptions>,
  ): Promise<Outcome> {
    const { core, time, random, folder } = this.#input;
    const scratch = fs.mkdtempSync(path.join(folder, 'drill-'));
    const destination = new core.Destination(client, {
      // A drill at one moment waits for nothing, and has no virtual timers.
      ...(currentProcess() !== undefined && { clock: time.quietClock }),
      random: () => random.next(),
      access: 'read',
      encryption: encryptionOf(core, bucket),
    });
    const { capabilities } = destination;
    try {
      const report = await core.drill({
        name: bucket.name,
        open: async () => ({ client: destination.replica(ROOT), capabilities }),
        target,
        folder: scratch,
        sent: sent && { txid: BigInt(sent.txid), lineage: sent.decoded.header.nodeID },
        integrityCheck: 'none',
        assertions: [],
        signal: new AbortController().signal,
        clock: time.quietClock,
        random: { fraction: () => random.next(), bits64: () => BigInt(random.int(0, 2 ** 32)) },
        ...more,
      });
      const restored = path.join(scratch, 'restored.db');
      const hash = fs.existsSync(restored) ? hashOf(fs.readFileSync(restored)) : '';
      this.#count += 1;
      return { report, hash };
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  }

  #verify(order: Order, { report, hash }: Outcome, expected: Expected, details = ''): void {
    const { truth, note } = this.#input;
    const { bucket, sent, target } = order;
    const { result, txid } = report;
    const why = report.problems.map(({ message }) => message).join('; ');
    const number = txid === undefined ? undefined : Number(`0x${txid}`);
    const what = `a drill of ${bucket.name}${details}`;
    note(`${what}: ${result}, TXID ${number ?? 'unknown'}`);
    if (result === 'ok') {
      const states = truth.all(number ?? 0);
      if (!states.some((state) => state.hash === hash)) {
        throw new Broken('drill', `${what} says ok, but TXID ${number} in it is another state`);
      }
      if (target.kind === 'latest' && sent !== undefined && (number ?? 0) < sent.txid) {
        throw new Broken('drill', `${what} says ok, with ${number}, but ${sent.txid} was sent`);
      }
      if (expected === 'not ok') throw new Broken('drill', `${what} says ok`);
      return;
    }
    if (result === 'failed' && this.#hasNewLineage(order)) return;
    const isWrong = expected === 'ok' || (expected === 'not failed' && result === 'failed');
    if (isWrong) throw new Broken('drill', `${what} says ${result}: ${why}`);
  }

  /** A new lineage may have been sent since the record of what was sent. */
  #hasNewLineage({ bucket, sent }: Order): boolean {
    const { promises, truth } = this.#input;
    const newest = promises.files(bucket).reduce((max, file) => Math.max(max, file.max), 0);
    const lineages = truth.all(newest).map(({ decoded }) => decoded.header.nodeID);
    return sent !== undefined && lineages.some((each) => each !== sent.decoded.header.nodeID);
  }
}

type Expected = 'ok' | 'not ok' | 'not failed' | 'anything';

interface Outcome {
  readonly report: DrillReport;
  /** Of the restored database; '' if there is none. */
  readonly hash: string;
}
