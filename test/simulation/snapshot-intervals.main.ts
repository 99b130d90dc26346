/**
 * Two days of virtual time with a destination that gets a full snapshot each hour, and one that gets one a day.
 * Prints one line of JSON. Run by snapshot-intervals.test.ts in a process of its own, because a simulation
 * replaces the timers of its process.
 */

import fs from 'node:fs';
import path from 'node:path';
import { CORE_SRC } from '../../packages/core/test/support/mutant.ts';
import { installDescriptors } from './ports/descriptors.ts';
import { loadCore } from './ports/core.ts';
import { installConnections } from './ports/process.ts';
import { installTimers, type VirtualTime } from './ports/virtual-time.ts';
import { installWatches } from './ports/watches.ts';
import { scratchFolder } from './simulation.ts';
import { World } from './world.ts';

/** What was found at one destination. */
export interface Found {
  readonly name: string;
  /** Full snapshots that were written there. */
  readonly snapshotsWritten: number;
  /** Those that are still there. */
  readonly snapshotsKept: number;
  readonly levelZeroWritten: number;
  readonly mergesWritten: number;
  /** Moments that were restored from it alone. */
  readonly restored: number;
}

const HOUR_MS = 3_600_000;
/** Two days, and time for what is due at their end. */
const RUN_MS = 49 * HOUR_MS;
/** An hour is not a multiple of it, so no snapshot is due just when a commit is made. */
const COMMIT_EVERY_MS = 11 * 60_000;
/** Time to stage and send a commit. */
const AWAKE_MS = 8_000;
const INTERVALS_MS = [HOUR_MS, 24 * HOUR_MS];

let time: VirtualTime | undefined;
installTimers(() => {
  if (time === undefined) throw new Error('no run has begun');
  return time;
});
installConnections();
installWatches();
installDescriptors();
const folder = fs.mkdtempSync(path.join(scratchFolder(), 'sluice-intervals-'));
const world = new World(
  {
    seed: 1,
    core: await loadCore(CORE_SRC),
    buckets: INTERVALS_MS.length,
    policy: {
      levels: [30_000, 300_000, HOUR_MS].map((intervalMs, index) => ({
        level: index + 1,
        intervalMs,
      })),
      retentionMs: 6 * HOUR_MS,
      l0RetentionMs: 300_000,
      snapshotIntervalMs: 24 * HOUR_MS,
    },
    tuning: { syncIntervalMs: 1_000, stagingMaxBytes: 2 ** 30 },
  },
  folder,
);
time = world.time;
try {
  const written = new Map(world.buckets.map(({ name }) => [name, [] as number[]]));
  for (const [index, bucket] of world.buckets.entries()) {
    bucket.snapshotIntervalMs = INTERVALS_MS[index];
    const { onStored } = bucket;
    bucket.onStored = (key, bytes) => {
      onStored(key, bytes);
      const level = /\/ltx\/(\d)\//.exec(key)?.[1];
      if (level !== undefined) written.get(bucket.name)?.push(Number(level));
    };
  }
  await world.begin();
  const end = time.nowMs + RUN_MS;
  for (let verifyAt = time.nowMs; time.nowMs < end;) {
    const next = time.nowMs + COMMIT_EVERY_MS;
    world.application.commit('small');
    await world.pass(AWAKE_MS);
    await world.idle(next - time.nowMs);
    if (time.nowMs < verifyAt) continue;
    await world.verify();
    verifyAt += HOUR_MS;
  }
  const found: Found[] = [];
  for (const bucket of world.buckets) {
    const levels = written.get(bucket.name) ?? [];
    world.promises.verifyLevels(bucket);
    world.promises.verifyAges(bucket, COMMIT_EVERY_MS);
    found.push({
      name: bucket.name,
      snapshotsWritten: levels.filter((level) => level === 9).length,
      snapshotsKept: world.promises.files(bucket).filter(({ level }) => level === 9).length,
      levelZeroWritten: levels.filter((level) => level === 0).length,
      mergesWritten: levels.filter((level) => level > 0 && level < 9).length,
      restored: await world.promises.restoreAll(bucket, world.restorer),
    });
  }
  console.log(JSON.stringify(found));
} finally {
  world.end();
  fs.rmSync(folder, { recursive: true, force: true });
}
