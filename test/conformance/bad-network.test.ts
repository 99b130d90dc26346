/** A memory client behind a faulty network: with core's wrappers it passes the suite. */

import { chaos, type Fault } from '@sluice/backend-test-kit';

import { memoryClient, withPolicies } from '@sluice/core/backend/testing';
import { ReplicationError } from '@sluice/core/backend';

import { memorySetup } from './memory-setup.ts';
import { describeConformance, type Setup } from './suite.ts';

describeConformance({
  name: 'memory behind a bad network',
  layout: 'tree',
  capabilities: memoryClient().capabilities,
  hooks: ['raw', 'vanish'],
  partSizeBytes: 100_000,
  secrets: [],
  layers: ['wrapped'],
  open: async () => openBadNetwork(),
});

const reset = new ReplicationError('REPLICA_UNAVAILABLE', 'the connection was reset');

/** Faults of every kind at the first calls of each client, and some later ones. */
function faults(): Fault[] {
  return [0, 7, 31, 200].flatMap((after): Fault[] => [
    { on: 'put', after, at: 'before', error: reset },
    { on: 'put', after: after + 2, at: 'commit', error: reset },
    { on: 'get', after, at: 'before', error: reset },
    { on: 'get', after: after + 1, at: 1, error: reset },
    { on: 'get', after: after + 3, at: 0, error: 'end' },
    { on: 'list', after, at: 0, error: reset },
    { on: 'list', after: after + 1, at: 3, error: reset },
    { on: 'delete', after, at: 'commit', error: reset },
  ]);
}

/** A clock that runs a hundred times as fast, so that waits are short. */
const fastClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms: number, ring: () => void): () => void {
    const timer = setTimeout(ring, ms / 100);
    return () => clearTimeout(timer);
  },
};

function openBadNetwork(): Setup {
  return memorySetup((store) => {
    const memory = memoryClient({ store, chunkBytes: 65_536 });
    const bad = chaos(memory, ...faults()).client;
    const slow = { stallMs: 3_000_000, silenceMs: 3_000_000 };
    return withPolicies(bad, { clock: fastClock, ...slow }).client;
  });
}
