import { expect, test } from 'vitest';
import { Freshness } from '../../src/database/freshness.ts';
import { Gauges } from '../../src/database/gauges.ts';

/** Two frames of 1,000 bytes. */
const FRAMES = { logBytes: 2_000, at: 1_500 };

function scene() {
  const gauges = Gauges.create(1_000);
  return { gauges, freshness: new Freshness(gauges, 'empty') };
}

test('an idle database is staged up to the time of the last look', () => {
  const { gauges, freshness } = scene();
  freshness.setLookedAt(2_000);
  freshness.setState('staged');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 2_000, pending: 0 });
});

test('stagedAsOf does not advance while held commits are not staged', () => {
  const { gauges, freshness } = scene();
  freshness.countCommits([2], FRAMES);
  freshness.setLookedAt(2_000);
  freshness.setState('pending');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 1_000, pending: 1 });
  const { since, asOf } = freshness.cut();
  expect([since, asOf]).toEqual([1_000, 2_000]);
  freshness.countCommits([2], FRAMES);
  freshness.setLookedAt(3_000); // a later commit is not in a file yet
  freshness.setState('pending');
  freshness.staged(1n, { since, asOf }, 'complete');
  expect(gauges.read()).toMatchObject({ stagedAsOf: 2_000, stagedTXID: 1, stagedSince: 1_000 });
});

test('since is the time of the last look before the first commit in a file', () => {
  const { freshness } = scene();
  freshness.setLookedAt(2_000);
  freshness.countCommits([0, 3], FRAMES);
  freshness.setLookedAt(2_100);
  freshness.countCommits([3], FRAMES); // between two looks, as during a checkpoint
  freshness.setLookedAt(2_200);
  expect(freshness.cut()).toEqual({ since: 2_000, asOf: 2_200 });
  freshness.setLookedAt(40_000); // nothing was new
  freshness.countCommits([3], FRAMES);
  freshness.setLookedAt(40_500);
  expect(freshness.cut().since).toBe(40_000);
});

test('since of commits found at startup is the time at which the gauges were created', () => {
  const gauges = Gauges.create(1_000);
  const freshness = new Freshness(gauges, 'held');
  freshness.setLookedAt(2_000);
  expect(freshness.cut()).toEqual({ since: 1_000, asOf: 2_000 });
});

test('since of commits found when the database is opened again is the time of the newest staged commit', () => {
  const { gauges, freshness } = scene();
  freshness.countCommits([2], FRAMES);
  freshness.setLookedAt(2_000); // held, but not staged when following failed
  const again = new Freshness(gauges, 'held');
  again.setLookedAt(3_000);
  expect(again.cut()).toEqual({ since: 1_000, asOf: 3_000 });
});

test('files above an unfinished image count when the image is complete', () => {
  const { gauges, freshness } = scene();
  freshness.setLookedAt(2_000);
  const image = freshness.image();
  expect(image).toEqual({ since: 1_000, asOf: 2_000 });
  freshness.staged(3n, { since: 4_000, asOf: 5_000 }, 'image');
  expect(gauges.get('stagedAsOf')).toBe(1_000);
  freshness.setImageComplete(2n, image);
  expect(gauges.read()).toMatchObject({ stagedAsOf: 5_000, stagedTXID: 3 });
});

test('gauges written by one thread can be read by another', () => {
  const { gauges } = scene();
  gauges.set('commits', 12);
  expect(new Gauges(gauges.memory).read()).toEqual(gauges.read());
});

test('a staged file covers the commits and bytes that were seen when it was cut, not later ones', () => {
  const { gauges, freshness } = scene();
  freshness.countCommits([0, 2], FRAMES);
  freshness.setLookedAt(2_000);
  const first = freshness.cut();
  freshness.countCommits([2, 2], { logBytes: 500, at: 2_500 });
  freshness.setLookedAt(3_000);
  expect(gauges.read()).toMatchObject({ commits: 3, logBytes: 2_500, committedAt: 2_500 });
  expect(gauges.read()).toMatchObject({ stagedCommits: 0, stagedLogBytes: 0 });
  freshness.staged(1n, first, 'complete');
  expect(gauges.read()).toMatchObject({ stagedCommits: 1, stagedLogBytes: 2_000 });
  freshness.setState('staged');
  expect(gauges.read()).toMatchObject({ stagedCommits: 3, stagedLogBytes: 2_500 });
});

test('frames without a commit do not change the time of the last commit', () => {
  const { gauges, freshness } = scene();
  freshness.countCommits([2], FRAMES);
  freshness.countCommits([0, 0], { logBytes: 100, at: 9_000 });
  expect(gauges.read()).toMatchObject({ commits: 1, logBytes: 2_100, committedAt: 1_500 });
});
