import { describe, expect, test } from 'vitest';
import { admit } from '../../src/replicate/admission.ts';
import { decideBeginning } from '../../src/replicate/beginning.ts';
import { planRelease } from '../../src/replicate/budget.ts';
import { addToManifest, EMPTY_MANIFEST } from '../../src/replicate/manifest.ts';
import { snapshotDueInMs } from '../../src/replicate/snapshots.ts';
import { backoffMs, BACKOFF_MS_MAX, transition } from '../../src/replicate/state.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const file = (level: number, txid: number) => ({
  level,
  minTXID: toTXID(txid),
  maxTXID: toTXID(txid),
  sizeBytes: 100,
  modifiedAt: new Date(0),
});
const sent = (txid: number, checksum = 'aa') => ({ txid: BigInt(txid), sizeBytes: 100, checksum });

describe('a destination goes on only where it ends with what was sent there', () => {
  const manifest = addToManifest(EMPTY_MANIFEST, file(0, 5));
  const input = { manifest, top: sent(5), record: undefined, staged: undefined };

  test('with the file that was recorded', () => {
    expect(admit({ ...input, record: sent(5) })).toBe('ours');
  });
  test('with a file that still is staged', () => {
    expect(admit({ ...input, record: sent(4), staged: sent(5) })).toBe('ours');
  });
  test('not with the same TXID of other bytes', () => {
    expect(admit({ ...input, record: sent(5, 'bb') })).toBe('foreign');
    expect(admit({ ...input, record: { ...sent(5), sizeBytes: 99 } })).toBe('foreign');
  });
  test('not with anything above it at any level', () => {
    const above = addToManifest(manifest, file(1, 6));
    expect(admit({ ...input, manifest: above, record: sent(5) })).toBe('foreign');
  });
  test('nothing there is nobody’s', () => {
    expect(admit({ ...input, manifest: EMPTY_MANIFEST, top: undefined })).toBe('empty');
  });
});

describe('a history resumes only where it is proved', () => {
  const at = (chain: 'ours' | 'foreign' | 'empty' | undefined, highest: bigint) => ({
    name: 'x',
    chain,
    highest,
  });
  const input = { proved: 5n, why: undefined, newestStaged: 5n };

  test('proved, and every destination ours', () => {
    const order = decideBeginning({ ...input, destinations: [at('ours', 5n), at('ours', 3n)] });
    expect(order.mode).toBe('resume');
  });
  test('an image above all that is anywhere, where nothing is proved', () => {
    const destinations = [at('foreign', 9n), at(undefined, 0n)];
    const order = decideBeginning({ ...input, proved: undefined, destinations });
    expect(order).toMatchObject({ mode: 'image', floor: 9n });
  });
  test('an image where another writer went on', () => {
    const order = decideBeginning({ ...input, destinations: [at('foreign', 6n), at('ours', 5n)] });
    expect(order).toMatchObject({ mode: 'image', floor: 6n });
  });
  test('no image for one that is empty, far behind or not heard of', () => {
    const destinations = [at('empty', 0n), at('foreign', 2n), at(undefined, 0n)];
    expect(decideBeginning({ ...input, destinations }).mode).toBe('resume');
  });
});

describe('staging is bounded', () => {
  const files = [1, 2, 3, 4].map((txid) => ({ txid: BigInt(txid), sizeBytes: 10 }));

  test('what every destination has is freed', () => {
    const holders = [
      { name: 'a', releasable: 2n },
      { name: 'b', releasable: 3n },
    ];
    const plan = planRelease({ files, maxBytes: 1000, holders });
    expect(plan).toEqual({ releaseTo: 2n, laggards: [] });
  });
  test('beyond the budget the slowest loses its files, the others do not', () => {
    const holders = [
      { name: 'a', releasable: 0n },
      { name: 'b', releasable: 3n },
    ];
    const plan = planRelease({ files, maxBytes: 20, holders });
    expect(plan).toEqual({ releaseTo: 2n, laggards: ['a'] });
  });
  test('the newest file stays, whatever the budget', () => {
    const plan = planRelease({ files, maxBytes: 0, holders: [{ name: 'a', releasable: 0n }] });
    expect(plan.releaseTo).toBe(3n);
  });
});

describe('a snapshot is due', () => {
  const input = { intervalMs: 500, head: 9n };
  const aged = (txid: bigint, ageMs: number, guessForMs = 0) => [{ txid, ageMs, guessForMs }];
  test('where a destination has none', () => {
    expect(snapshotDueInMs({ ...input, newest: [undefined] })).toBe(0);
  });
  test('when its newest is older than the interval', () => {
    expect(snapshotDueInMs({ ...input, newest: aged(3n, 300) })).toBe(200);
    expect(snapshotDueInMs({ ...input, newest: aged(3n, 900) })).toBe(0);
  });
  test('not while its age is a guess that the next write may correct', () => {
    expect(snapshotDueInMs({ ...input, newest: aged(3n, 900, 40) })).toBe(40);
  });
  test('never while nothing has changed since', () => {
    expect(snapshotDueInMs({ ...input, newest: aged(9n, 900) })).toBe(Infinity);
  });
});

describe('states of a destination', () => {
  test('a failure heals, and what is closed stays closed', () => {
    expect(transition('streaming', 'failed')).toBe('failing');
    expect(transition('failing', 'healed')).toBe('streaming');
    expect(transition('closed', 'healed')).toBe('closed');
  });
  test('the wait doubles and is bounded', () => {
    const waits = [1, 2, 3, 10, 1000].map((failures) => backoffMs(failures, () => 1));
    expect(waits.slice(0, 3)).toEqual([500, 1000, 2000]);
    expect(waits.at(-1)).toBe(BACKOFF_MS_MAX);
  });
});
