import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/error.ts';
import {
  OUTAGE_MS,
  RELIST_IDLE_MS,
  RELIST_MS,
  Relisting,
} from '../../src/replicate/destination/relisting.ts';
import { StoppedClock } from './scene.ts';

function listed(
  place: 'local' | 'remote',
  fileCount = 1,
  databases = 1,
): { relisting: Relisting; clock: StoppedClock } {
  const clock = new StoppedClock();
  const relisting = new Relisting(clock, () => databases);
  relisting.listingBegan(place);
  relisting.listed(fileCount);
  return { relisting, clock };
}

describe('a destination is listed again', () => {
  test('in a folder once a minute while it is idle, less often with many databases', () => {
    expect(listed('local').relisting.dueInMs()).toBe(60_000);
    expect(listed('local', 1, 30).relisting.dueInMs()).toBe(60_000);
    const { relisting } = listed('local', 1, 1_000);
    expect(relisting.dueInMs()).toBe(2_000_000);
    relisting.wrote();
    expect(relisting.dueInMs()).toBe(5_000);
    expect(listed('remote', 1, 1_000).relisting.dueInMs()).toBe(RELIST_IDLE_MS);
  });

  test('once an hour while it is written to', () => {
    const { relisting, clock } = listed('remote');
    relisting.wrote();
    expect(relisting.dueInMs()).toBe(RELIST_MS);
    clock.advance(RELIST_MS - 1);
    expect(relisting.dueInMs()).toBe(1);
    clock.advance(5);
    expect(relisting.dueInMs()).toBe(0);
  });

  test('once a day while it is idle, and after the first write', () => {
    const { relisting, clock } = listed('remote');
    expect(relisting.dueInMs()).toBe(RELIST_IDLE_MS);
    clock.advance(2 * RELIST_MS);
    expect(relisting.dueInMs()).toBe(RELIST_IDLE_MS - 2 * RELIST_MS);
    relisting.wrote();
    expect(relisting.dueInMs()).toBe(0);
  });

  test('at once if a listing has begun and did not end well', () => {
    const { relisting, clock } = listed('remote');
    relisting.wrote();
    clock.advance(RELIST_MS);
    relisting.listingBegan('remote');
    relisting.failed('REPLICA_UNAVAILABLE', clock.monotonic());
    expect(relisting.dueInMs()).toBe(0);
    relisting.listingBegan('remote');
    relisting.listed(1);
    expect(relisting.dueInMs()).toBe(RELIST_IDLE_MS);
  });

  test('every minute if it is a local folder, and soon after a write, because that costs no request', () => {
    const { relisting, clock } = listed('local', 10);
    expect(relisting.dueInMs()).toBe(60_000);
    relisting.wrote();
    expect(relisting.dueInMs()).toBe(5_000);
    clock.advance(5_000);
    relisting.listingBegan('local');
    relisting.listed(10);
    expect(relisting.dueInMs()).toBe(60_000);
  });

  test.for<['local' | 'remote', number, number]>([
    ['local', 10_000, 4_000_000],
    ['local', 100_000_000, 24 * RELIST_MS],
    ['remote', 1_000, RELIST_MS],
    ['remote', 10_000, 10 * RELIST_MS],
    ['remote', 100_000_000, 24 * RELIST_MS],
  ])('less often if it has many files: %s, %i', ([place, files, ms]) => {
    const { relisting } = listed(place, files);
    relisting.wrote();
    expect(relisting.dueInMs()).toBe(ms);
  });

  test.for<ErrorCode>([
    'REPLICA_CONFLICT',
    'REPLICA_NOT_FOUND',
    'REPLICA_CHANGED',
    'REPLICA_DESTINATION_NOT_FOUND',
  ])('at once after %s, and once', (code) => {
    const { relisting } = listed('remote');
    relisting.failed(code, 0);
    expect(relisting.dueInMs()).toBe(0);
    relisting.listed(1);
    expect(relisting.dueInMs()).toBe(RELIST_IDLE_MS);
  });

  test('after a long outage, not after a short one', () => {
    const { relisting, clock } = listed('remote');
    const since = clock.monotonic();
    relisting.failed('REPLICA_UNAVAILABLE', since);
    clock.advance(OUTAGE_MS - 1);
    relisting.failed('REPLICA_UNAVAILABLE', since);
    expect(relisting.dueInMs()).toBeGreaterThan(0);
    clock.advance(1);
    relisting.failed('REPLICA_UNAVAILABLE', since);
    expect(relisting.dueInMs()).toBe(0);
  });

  test('only after its first listing', () => {
    expect(new Relisting(new StoppedClock()).dueInMs()).toBe(Infinity);
  });
});
