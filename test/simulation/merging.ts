/**
 * Whether new transactions are merged into level 1 at every destination, when everything works. A level that
 * lost files continues after a full snapshot, so one is taken first.
 */

import { Broken } from './claims.ts';
import type { World } from './world.ts';

const SNAPSHOT_MS_MAX = 120_000;
const STEP_MS = 5_000;
const COMMITS = 8;
const PAUSE_MS = 200;
/** Time to stage, merge and send a file. */
const SLACK_MS = 30_000;
/** With less, files are given up before they are merged. */
const STAGING_BYTES_MIN = 2 ** 20;
/**
 * A level without files begins after the newest full snapshot. If these come more often than its windows end,
 * it never begins, and the snapshots have every state that it would have.
 */
const SNAPSHOT_INTERVAL_MS_MIN = 3_600_000;
const SNAPSHOT_LEVEL = 9;

/** Everything works and is complete. */
export async function verifyMerging(world: World): Promise<void> {
  const { application, buckets, policy, promises, replicator, time } = world;
  const [first] = policy.levels;
  const isComparable =
    world.tuning.stagingMaxBytes >= STAGING_BYTES_MIN &&
    buckets.every((each) => promises.snapshotIntervalOf(each) >= SNAPSHOT_INTERVAL_MS_MIN);
  if (first === undefined || !isComparable) return;
  const topOf = (bucket: (typeof buckets)[number], level: number): number =>
    promises
      .files(bucket)
      .reduce((top, file) => (file.level === level ? Math.max(top, file.max) : top), 0);
  // Everything that was staged is there. Higher TXIDs may be from before everything was lost.
  const newest = (): number => Math.max(0, ...buckets.map((bucket) => topOf(bucket, 0)));
  const before = newest();
  replicator?.snapshot();
  const end = time.nowMs + SNAPSHOT_MS_MAX;
  while (!buckets.every((bucket) => topOf(bucket, SNAPSHOT_LEVEL) >= before)) {
    if (time.nowMs > end) throw new Broken('levels advance', 'there is no new full snapshot');
    await world.pass(STEP_MS);
  }
  // Several files in one window: the newest file stays staged anyway.
  for (let count = 0; count < COMMITS; count++) {
    world.note(application.commit('small'));
    await world.pass(world.tuning.syncIntervalMs + PAUSE_MS);
  }
  await world.pass(SLACK_MS);
  const expected = newest();
  await world.pass(first.intervalMs);
  for (const bucket of buckets) {
    const top = topOf(bucket, first.level);
    const hasNewSnapshot = topOf(bucket, SNAPSHOT_LEVEL) > before;
    if (top >= expected || hasNewSnapshot) continue;
    throw new Broken('levels advance', `level 1 of ${bucket.name} ends with ${top} of ${expected}`);
  }
  world.note('level 1 continues everywhere');
}
