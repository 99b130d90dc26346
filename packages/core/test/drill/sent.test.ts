import { expect, test } from 'vitest';
import { isError } from '../../src/error.ts';
import { requireOwn, type Records } from '../../src/drill/sent.ts';
import type { KnownState } from '../../src/drill/verdict.ts';

const state = (txid: bigint, lineage: bigint): KnownState => ({ txid, lineage });
const NEWEST = state(5n, 0xan);

function codeOf(newest: KnownState, records: Partial<Records>): string | undefined {
  try {
    requireOwn('d', newest, { sent: undefined, positions: [], ...records });
    return undefined;
  } catch (error) {
    if (!isError(error)) throw error;
    expect(error.message).toMatch(/^d ends with TXID 0{15}5/);
    return error.code;
  }
}

test.each<[string, KnownState, Partial<Records>, string | undefined]>([
  ['nothing known', NEWEST, {}, undefined],
  ['the state that was sent', NEWEST, { sent: NEWEST, positions: [NEWEST] }, undefined],
  ['an older state', NEWEST, { sent: state(6n, 0xan) }, 'RESTORE_GAP'],
  ['another lineage', NEWEST, { sent: state(5n, 0xbn) }, 'REPLICA_CONFLICT'],
  ['another lineage, far ahead', NEWEST, { sent: state(1n, 0xbn) }, 'REPLICA_CONFLICT'],
  ['an unknown lineage', state(5n, 0n), { sent: state(5n, 0xbn) }, undefined],
  ['a lineage, and an old record', NEWEST, { sent: state(5n, 0n) }, undefined],
  [
    'a new lineage, sent during the drill',
    NEWEST,
    { sent: state(4n, 0xbn), positions: [state(4n, 0xbn), state(5n, 0xan)] },
    undefined,
  ],
  [
    'another lineage than the record and the replicator',
    NEWEST,
    { sent: state(4n, 0xbn), positions: [state(6n, 0xbn)] },
    'REPLICA_CONFLICT',
  ],
  ['a replicator that is behind', NEWEST, { positions: [state(4n, 0xan)] }, 'REPLICA_CONFLICT'],
  [
    'a replicator that was behind when the drill began',
    NEWEST,
    { positions: [state(4n, 0xan), state(5n, 0xan)] },
    undefined,
  ],
  ['a replicator that is ahead', NEWEST, { positions: [state(9n, 0xcn)] }, undefined],
])('the destination has %s', (_, newest, records, expected) => {
  expect(codeOf(newest, records)).toBe(expected);
});
