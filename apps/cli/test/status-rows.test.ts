/** What `sluice status` says of a destination while a replicator has just started. */

import { expect, test } from 'vitest';
import { describeDatabase, describeDestination, healthOf } from '../src/status/describe.ts';
import type { DestinationConfig } from '../src/config/model.ts';
import type { Local } from '../src/status/local.ts';
import { destination, status } from './support/status.ts';

const TXID = '0000000000000007';

/** A destination that lists TXID 7, and what a replicator that runs knows of it. */
function rowOf(isConfirmed: boolean | undefined, writer: Local['writer'] = 'runs') {
  const known = destination('near', { txid: TXID });
  const base = status('/data/app.db', { txid: TXID, destinations: [known] });
  const destinations = base.facts.destinations.map((each) => ({ ...each, isConfirmed }));
  const state = { ...base, facts: { ...base.facts, destinations } };
  const rest = {
    database: 'exists',
    walBytes: 0,
    sinceEnd: 'unchanged',
    maxLagMs: 60_000,
  } as const;
  const local: Local = { path: base.path, state, writer, ageMs: 0, asked: 'not asked', ...rest };
  const health = healthOf(local);
  const { name, target } = known;
  const config = { name, type: 'file', target } as DestinationConfig;
  const row = describeDestination(
    config,
    { kind: 'listed', txid: 7n, sizeBytes: 1, damage: undefined },
    { health, before: state, now: new Date(), drill: undefined, drillEveryMs: undefined },
  );
  return { ...row, healthy: describeDatabase(health, [row]).healthy };
}

test('commits from before the start may be missing, so it is behind, and nobody knows how far', () => {
  expect(rowOf(false)).toMatchObject({ state: 'behind', lag_seconds: undefined, healthy: false });
});

test.for([true, undefined])('it is ok once something was confirmed: %s', (isConfirmed) => {
  expect(rowOf(isConfirmed)).toMatchObject({ state: 'ok', lag_seconds: 0, healthy: true });
});

test('a replicator that ended has checked the database until its end', () => {
  expect(rowOf(false, 'ended')).toMatchObject({ state: 'ok', lag_seconds: 0, healthy: true });
});
