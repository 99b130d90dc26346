import { expect, test } from 'vitest';
import { Freshness } from '../../src/database/freshness.ts';
import { Gauges } from '../../src/database/gauges.ts';

function scene() {
  const gauges = Gauges.create(1_000);
  return { gauges, freshness: new Freshness(gauges, 'empty') };
}

test('an idle database is staged up to the last look', () => {
  const { gauges, freshness } = scene();
  freshness.looked(2_000);
  freshness.settled('staged');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 2_000, pending: 0 });
});

test('commits that are held and not staged hold it back, until their file is staged', () => {
  const { gauges, freshness } = scene();
  freshness.counted([2]);
  freshness.looked(2_000);
  freshness.settled('pending');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 1_000, pending: 1 });
  const { since, asOf } = freshness.cut();
  expect([since, asOf]).toEqual([1_000, 2_000]);
  freshness.counted([2]);
  freshness.looked(3_000); // a later commit is in no file yet
  freshness.settled('pending');
  freshness.staged(1n, asOf, 'whole');
  expect(gauges.read()).toMatchObject({ stagedAsOf: 2_000, stagedTXID: 1 });
});

test('a file holds commits that may be as old as the last look before the first of them', () => {
  const { freshness } = scene();
  freshness.looked(2_000);
  freshness.counted([0, 3]);
  freshness.looked(2_100);
  freshness.counted([3]); // between two looks, as while a checkpoint is made
  freshness.looked(2_200);
  expect(freshness.cut()).toEqual({ since: 2_000, asOf: 2_200 });
  freshness.looked(40_000); // nothing was new
  freshness.counted([3]);
  freshness.looked(40_500);
  expect(freshness.cut().since).toBe(40_000);
});

test('commits that a start has found may be as old as the last look of all', () => {
  const gauges = Gauges.create(1_000);
  const freshness = new Freshness(gauges, 'held');
  freshness.looked(2_000);
  expect(freshness.cut()).toEqual({ since: 1_000, asOf: 2_000 });
});

test('files above an image that is not whole count when it is', () => {
  const { gauges, freshness } = scene();
  freshness.looked(2_000);
  const image = freshness.image();
  expect(image).toEqual({ since: 1_000, asOf: 2_000 });
  freshness.staged(3n, 5_000, 'image');
  expect(gauges.get('stagedAsOf')).toBe(1_000);
  freshness.imageIsWhole(2n, image.asOf);
  expect(gauges.read()).toMatchObject({ stagedAsOf: 5_000, stagedTXID: 3 });
});

test('what one thread notes another reads', () => {
  const { gauges } = scene();
  gauges.set('commits', 12);
  expect(new Gauges(gauges.memory).read()).toEqual(gauges.read());
});
