import { expect, test } from 'vitest';
import { Freshness } from '../../src/database/freshness.ts';
import { Gauges } from '../../src/database/gauges.ts';

function scene() {
  const gauges = Gauges.create(1_000);
  return { gauges, freshness: new Freshness(gauges) };
}

test('an idle database is staged up to the last look', () => {
  const { gauges, freshness } = scene();
  freshness.looked(2_000, 0);
  freshness.settled('staged');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 2_000, pending: 0 });
});

test('commits that are held and not staged hold it back, until their file is staged', () => {
  const { gauges, freshness } = scene();
  freshness.looked(2_000, 3);
  freshness.settled('pending');
  expect(gauges.read()).toMatchObject({ lookedAt: 2_000, stagedAsOf: 1_000, pending: 1 });
  const { since, asOf } = freshness.cut(1_995);
  expect([since, asOf]).toEqual([1_995, 2_000]);
  freshness.looked(3_000, 1); // a later commit is in no file yet
  freshness.settled('pending');
  freshness.staged(1n, asOf, 'whole');
  expect(gauges.read()).toMatchObject({ stagedAsOf: 2_000, stagedTXID: 1 });
});

test('commits that are found after a long gap may be as old as the look before it', () => {
  const { freshness } = scene();
  freshness.looked(2_000, 0);
  freshness.looked(40_000, 1);
  expect(freshness.cut(40_000).since).toBe(2_000);
  freshness.looked(40_500, 1);
  expect(freshness.cut(40_500).since).toBe(40_500);
});

test('files above an image that is not whole count when it is', () => {
  const { gauges, freshness } = scene();
  freshness.looked(2_000, 5);
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
