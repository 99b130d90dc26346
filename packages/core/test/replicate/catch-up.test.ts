/** A destination that was down: how many files it gets, and which. */

import { describe, expect, onTestFinished, test } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
import { DEFAULT_LEVELS } from '../../src/history/levels.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { Compactor } from '../../src/replicate/levels/compactor.ts';
import { mergeFiles } from '../../src/replicate/levels/merge-files.ts';
import type { NextInput } from '../../src/replicate/destination/next.ts';
import { CatchUp } from '../../src/replicate/destination/queues/catch-up.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { refusal, Scene, type SceneOptions, Staged, StoppedClock, writing } from './scene.ts';

const kernel = createKernel();
const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

const NO_FAILURE = { failures: 0 };

/** A destination, and the merges of its database. */
class Outage {
  readonly clock = new StoppedClock();
  readonly staged: Staged = new Staged(0x100n, () => this.clock.now());
  readonly store = new MemoryStore();
  /** Names of the files that were written since the outage, in order. */
  readonly written: string[] = [];
  scene: Scene;
  /** Called before each write. */
  onWrite: () => void = () => undefined;
  /** Called when windows are to end early. */
  onEnd: (levels: readonly number[]) => void = () => undefined;
  readonly #compactor: Compactor;
  isMergeBroken = false;

  constructor() {
    this.scene = this.#open({});
    this.#compactor = new Compactor({
      options: {
        metaPath: this.staged.folder,
        levels: DEFAULT_LEVELS,
        verifyCompaction: true,
        pageEncoding: 'block',
        stagingMaxBytes: 1e9,
      },
      backlog: this.staged.backlog,
      holders: () => [this.scene.uploader],
      merge: async (order) => {
        if (this.isMergeBroken) throw refusal('STAGING_FAILED');
        return await mergeFiles(order, { files: systemFiles, kernel });
      },
      onMerged: () => {
        this.scene.merges = this.#compactor.staged;
        this.#free();
        this.scene.uploader.wake();
      },
      onGone: () => expect.unreachable(),
      remove: () => undefined,
      files: systemFiles,
      clock: this.clock,
      logger: {
        debug: () => undefined,
        info: () => undefined,
        warn: () => undefined,
        error: () => undefined,
      },
    });
    onTestFinished(() => this.#compactor.close());
  }

  /** The destination gets an image and some files, and goes down so that it can come back at `endMs` in an hour. */
  async begin(lengthMs: number, endMs: number): Promise<void> {
    const now = this.clock.now();
    const begin = Math.ceil((now + HOUR) / HOUR) * HOUR + endMs - lengthMs;
    this.clock.advance(begin - now - 3 * SECOND);
    this.staged.image();
    this.#compactor.begin();
    this.commits(2);
    this.scene.start();
    expect(await this.scene.drained()).toBe('complete');
    await this.scene.uploader.close(new Error('the outage begins'));
  }

  /** One commit each second. */
  commits(count: number): void {
    for (let commit = 0; commit < count; commit++) {
      this.clock.advance(SECOND);
      this.staged.commit();
    }
  }

  /** Resolves when every window that is over is merged. */
  async merged(): Promise<void> {
    const nowMs = this.clock.now() - 500;
    const times = Array.from(this.staged.backlog.files, ({ txid, timestampMs }) => ({
      txid,
      timestampMs,
    }));
    this.#compactor.wake();
    for (const { level, intervalMs } of DEFAULT_LEVELS) {
      const end = Math.floor(nowMs / intervalMs) * intervalMs;
      const last = times.findLast(({ timestampMs }) => timestampMs < end)?.txid ?? 0n;
      await expect
        .poll(() => this.#compactor.figures[level - 1]?.txid)
        .toBeGreaterThanOrEqual(last);
    }
  }

  /** The destination is back. */
  async end(options: SceneOptions = {}): Promise<void> {
    const { record } = this.scene;
    this.scene = this.#open({ record, ...options });
    this.scene.merges = this.#compactor.staged;
    this.scene.endWindows = (levels) => {
      this.onEnd(levels);
      return this.#compactor.endWindows(levels);
    };
    this.scene.start();
    await this.scene.until('it is listed', () => this.scene.uploader.hasReported);
  }

  async caughtUp(): Promise<void> {
    const { uploader } = this.scene;
    await this.scene.until('it has everything', () => {
      const { head } = this.staged;
      return (uploader.replicatedTXID ?? 0n) >= head && (uploader.topOf(0) ?? 0n) >= head;
    });
    await this.scene.expectRestored();
  }

  #free(): void {
    const { releasableTXID } = this.scene.uploader;
    const mergedTo = this.#compactor.keepsAfter ?? 0n;
    this.staged.backlog.release(releasableTXID < mergedTo ? releasableTXID : mergedTo);
    this.#compactor.free();
  }

  #open(options: SceneOptions): Scene {
    const { staged, store, clock } = this;
    const server = writing(async (file, body, given, client) => {
      this.onWrite();
      const info = await client.writeFile(file, body, given);
      this.written.push(`${file.level}/${file.minTXID}-${file.maxTXID}`);
      return info;
    });
    return new Scene({ staged, store, clock, server, ...options });
  }
}

describe('one commit each second', () => {
  test.each([
    // At the end of an outage: files of all levels are left, or of some.
    [HOUR, 59 * MINUTE + 59 * SECOND],
    [10 * MINUTE, 4 * MINUTE + 59 * SECOND],
    [10 * MINUTE, 20 * SECOND],
    [MINUTE, 59 * SECOND],
  ])(
    'an outage of %i ms that ends %i ms after the hour costs few uploads',
    async (lengthMs, endMs) => {
      const outage = new Outage();
      await outage.begin(lengthMs, endMs);
      outage.commits(lengthMs / SECOND);
      await outage.merged();
      outage.written.length = 0;
      let writes = 0;
      outage.onWrite = () => {
        writes += 1;
        if (writes !== 2 && writes !== 4) return; // the application goes on meanwhile
        outage.commits(1);
        outage.scene.uploader.wake();
      };
      await outage.end();
      await outage.caughtUp();
      expect(outage.written.length, outage.written.join(' ')).toBeLessThanOrEqual(12);
      expect(await outage.scene.uploader.drain(outage.staged.head, 1_000, 5)).toBe('complete');
    },
  );
});

describe('windows end early', () => {
  test('only after the destination has accepted a file', async () => {
    const outage = new Outage();
    await outage.begin(MINUTE, 2 * MINUTE + 59 * SECOND);
    outage.commits(60);
    await outage.merged();
    const asked: string[] = [];
    const server = writing(async (file, body, given, client) => {
      asked.push(`${file.level}/${file.minTXID}-${file.maxTXID}`);
      if (asked.length < 2) throw refusal('REPLICA_UNAVAILABLE');
      return await client.writeFile(file, body, given);
    });
    const ended: (readonly number[])[] = [];
    outage.onEnd = (levels) => {
      ended.push(levels);
      expect(asked.length).toBeGreaterThanOrEqual(2);
    };
    await outage.end({ server });
    await outage.caughtUp();
    expect(ended.length).toBeGreaterThan(0);
  });

  test('not while merges fail: the destination gets what there is', async () => {
    const outage = new Outage();
    await outage.begin(MINUTE, 2 * MINUTE + 59 * SECOND);
    outage.commits(60);
    await outage.merged();
    outage.isMergeBroken = true;
    outage.written.length = 0;
    await outage.end();
    await outage.caughtUp();
    expect(outage.written.filter((name) => name.startsWith('0/'))).toHaveLength(29);
  });

  test('at most every 30 seconds, and a destination waits at most 10 seconds for them', () => {
    const clock = new StoppedClock();
    const ended: (readonly number[])[] = [];
    const endWindows = (levels: readonly number[]): 'merging' => {
      ended.push(levels);
      return 'merging';
    };
    const catchUp = new CatchUp({ merged: { topLevel: 3, endWindows }, clock });
    const step = { kind: 'increment' } as const;
    const input = inputOf(40);
    expect(catchUp.holds(step, input, { failures: 1 })).toBe(false);
    expect(catchUp.holds({ kind: 'seed' }, input, NO_FAILURE)).toBe(false);
    expect(catchUp.holds(step, input, NO_FAILURE)).toBe(true);
    clock.advance(9_999);
    expect(catchUp.holds(step, input, NO_FAILURE)).toBe(true);
    expect(catchUp.dueInMs).toBe(1);
    clock.advance(1);
    expect(catchUp.holds(step, input, NO_FAILURE)).toBe(false);
    expect(catchUp.dueInMs).toBe(Infinity);
    clock.advance(19_999);
    expect(catchUp.holds(step, input, NO_FAILURE)).toBe(false);
    expect(ended).toEqual([[1], [1]]);
    clock.advance(1);
    expect(catchUp.holds(step, input, NO_FAILURE)).toBe(true);
  });

  test('for a destination that was far behind, until it lacks few files', () => {
    const endWindows = (): 'nothing' => 'nothing';
    const catchUp = new CatchUp({ merged: { topLevel: 3, endWindows }, clock: new StoppedClock() });
    const isOnAt = (count: number): boolean => {
      catchUp.holds({ kind: 'increment' }, inputOf(count), NO_FAILURE);
      return catchUp.isOn;
    };
    expect([30, 31, 11, 10, 11].map(isOnAt)).toEqual([false, true, true, false, false]);
  });
});

/** A destination that lacks `count` files of level 0, of which none is merged. */
function inputOf(count: number): NextInput {
  const staged = new Staged();
  staged.image();
  for (let commit = 0; commit < count; commit++) staged.commit();
  const files = new FileSet();
  files.add({
    level: 0,
    minTXID: toTXID(1),
    maxTXID: toTXID(1),
    sizeBytes: 9,
    modifiedAt: new Date(0),
  });
  const { backlog, lineage, head } = staged;
  const view = { files, highest: 1n, chain: 'ours', lineage, why: undefined } as const;
  return {
    view: { ...view, since: 0n, pageSize: 512, seeding: undefined },
    backlog,
    snapshot: undefined,
    merges: [],
    head,
    prefers: 'merged files',
  };
}
