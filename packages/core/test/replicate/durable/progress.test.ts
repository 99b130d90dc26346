/** When waiting commits are cut, and when they count as durable. */

import { describe, expect, test } from 'vitest';
import {
  CUT_INTERVAL_MS,
  type CutInput,
  type DestinationProgress,
  holdersOf,
  isCutDue,
  judge,
  LOST_MS,
  UNCUT_MS_MAX,
} from '../../../src/replicate/durable/progress.ts';

function at(
  txid: bigint | undefined,
  rest: Partial<DestinationProgress> = {},
): DestinationProgress {
  const state = txid === undefined ? 'listing' : 'streaming';
  return { name: 'a', state, txid, failingMs: 0, stalledMs: 0, error: undefined, ...rest };
}

function isDue(destinations: readonly DestinationProgress[], rest: Partial<CutInput>): boolean {
  return isCutDue({ destinations, newest: 10n, needed: 1, sinceCutMs: 0, waitedMs: 0, ...rest });
}

describe('a cut', () => {
  test('is due at once if the destinations have everything', () => {
    expect(isDue([at(10n), at(10n)], { needed: 2 })).toBe(true);
  });

  test('waits for the file on its way, for as many destinations as a caller needs', () => {
    expect(isDue([at(9n), at(9n)], { needed: 1 })).toBe(false);
    expect(isDue([at(10n), at(9n)], { needed: 1 })).toBe(true);
    expect(isDue([at(10n), at(9n)], { needed: 2 })).toBe(false);
  });

  test('does not wait for a destination that takes no files', () => {
    const notTaking = [
      at(undefined),
      at(9n, { state: 'failing' }),
      at(9n, { state: 'damaged' }),
      at(9n, { stalledMs: 1_000 }),
    ];
    for (const other of notTaking) expect(isDue([at(10n), other], { needed: 2 })).toBe(true);
  });

  test('waits a little for a destination that is slower than the others', () => {
    expect(isDue([at(10n), at(6n)], {})).toBe(true);
    expect(isDue([at(10n), at(5n)], {})).toBe(false);
    expect(isDue([at(10n), at(5n)], { sinceCutMs: CUT_INTERVAL_MS })).toBe(true);
  });

  test('is made at intervals if no destination takes files', () => {
    expect(isDue([at(undefined)], {})).toBe(false);
    expect(isDue([at(undefined)], { sinceCutMs: CUT_INTERVAL_MS })).toBe(true);
  });

  test('is due after a second, whatever the destinations do', () => {
    expect(isDue([at(9n)], { sinceCutMs: 999_999, waitedMs: UNCUT_MS_MAX - 1 })).toBe(false);
    expect(isDue([at(9n)], { waitedMs: UNCUT_MS_MAX })).toBe(true);
  });
});

describe('a TXID', () => {
  const failing = { state: 'failing', failingMs: LOST_MS } as const;

  test('is durable when enough destinations have it or a later one', () => {
    const destinations = [at(10n, { name: 'a' }), at(11n, { name: 'b' }), at(9n, { name: 'c' })];
    expect(holdersOf(10n, destinations).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(judge({ txid: 10n, needed: 2 }, destinations)).toBe('durable');
    expect(judge({ txid: 10n, needed: 3 }, destinations)).toBe('waiting');
  });

  test('is not at a destination whose contents are unknown', () => {
    expect(judge({ txid: 0n, needed: 1 }, [at(undefined)])).toBe('waiting');
  });

  test('is lost when too few destinations are left', () => {
    const one = [at(10n), at(9n, failing)];
    expect(judge({ txid: 10n, needed: 1 }, one)).toBe('durable');
    expect(judge({ txid: 10n, needed: 2 }, one)).toBe('lost');
    const closed = [at(10n), at(undefined, { state: 'closed' })];
    expect(judge({ txid: 10n, needed: 2 }, closed)).toBe('lost');
  });

  test('is not lost while a destination has failed for a short time, or has it and fails', () => {
    const short = at(9n, { ...failing, failingMs: LOST_MS - 1 });
    expect(judge({ txid: 10n, needed: 1 }, [short])).toBe('waiting');
    expect(judge({ txid: 10n, needed: 1 }, [at(10n, failing)])).toBe('durable');
  });
});
