import { expect, test } from 'vitest';
import type { DatabaseStatus, DestinationStatus } from '../../src/index.ts';
import { changesBetween } from '../../src/library/changes.ts';

const DESTINATION = { name: 'near', state: 'streaming', txid: '01' } as DestinationStatus;
const DATABASE = { path: '/app.db', state: 'following', healthy: true } as DatabaseStatus;

function status(change: Partial<DestinationStatus> = {}, of: Partial<DatabaseStatus> = {}) {
  return [{ ...DATABASE, destinations: [{ ...DESTINATION, ...change }], ...of }];
}

test('an unchanged status makes no events', () => {
  expect(changesBetween(status(), status())).toEqual([]);
});

test('what is new makes an event each', () => {
  const at = { database: '/app.db', destination: 'near' };
  expect(changesBetween([], status())).toEqual([
    { kind: 'database', database: '/app.db', state: 'following', healthy: true },
    { kind: 'destination', ...at, state: 'streaming', error: undefined },
    { kind: 'replicated', ...at, txid: '01' },
  ]);
});

test('a failing destination has its error, without the time', () => {
  const lastError = { code: 'REPLICA_FULL', message: 'full', at: '2026-01-01T00:00:00Z' };
  expect(changesBetween(status(), status({ state: 'failing', lastError }))).toEqual([
    {
      kind: 'destination',
      database: '/app.db',
      destination: 'near',
      state: 'failing',
      error: { code: 'REPLICA_FULL', message: 'full' },
    },
  ]);
});

test('a change of health alone is an event', () => {
  const event = { kind: 'database', database: '/app.db', state: 'following', healthy: false };
  expect(changesBetween(status(), status({}, { healthy: false }))).toEqual([event]);
});
