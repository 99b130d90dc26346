/** Whether a replicator may write to a destination: every row of the table in standing.ts. */

import { describe, expect, test } from 'vitest';
import { parseOwner, formatOwner, type Owner } from '../../../src/replicate/ownership/owner.ts';
import {
  standingOf,
  type Self,
  type StandingInput,
} from '../../../src/replicate/ownership/standing.ts';

const ID = '00000000000000aa';
const OTHER_ID = '00000000000000bb';
const RUN = '0000000000000001';
const OTHER_RUN = '0000000000000002';

const SELF: Self = {
  id: ID,
  run: RUN,
  host: 'web1',
  machine: 'm1',
  path: '/data/app.db',
  restored: undefined,
};
const OWNER: Owner = {
  id: OTHER_ID,
  run: OTHER_RUN,
  epoch: 3,
  host: 'web2',
  machine: 'm2',
  path: '/data/app.db',
  pid: 7,
  since: '2026-01-01T00:00:00.000Z',
  txid: 5n,
};
const HERE = { host: 'web1', machine: 'm1' };
const NAMELESS = { host: 'web1', machine: undefined };

function standing(input: Partial<StandingInput>): string {
  const complete = {
    self: SELF,
    found: OWNER,
    epoch: undefined,
    chain: 'foreign',
    highest: 5n,
    foreign: 'refuse',
    ...input,
  } as const;
  return standingOf(complete).kind;
}

describe('at the first listing', () => {
  test('a replica without an owner is free, whatever it contains', () => {
    expect(standing({ found: undefined })).toBe('free');
    expect(standing({ found: undefined, chain: 'empty' })).toBe('free');
  });

  test.for(['foreign', 'ours', 'empty', 'damaged'] as const)(
    'a replica of another owner is theirs if it is %s',
    (chain) => {
      expect(standing({ chain })).toBe('theirs');
      expect(standing({ chain, foreign: 'take over' })).toBe('ours');
    },
  );

  test('our ID is ours at this place, and at one that cannot be told apart', () => {
    expect(standing({ found: { ...OWNER, id: ID, ...HERE } })).toBe('ours');
    const found = { ...OWNER, id: ID, ...NAMELESS };
    expect(standing({ found, self: { ...SELF, machine: undefined } })).toBe('ours');
  });

  test('our ID at another place is ours only if the files are known', () => {
    const found = { ...OWNER, id: ID };
    expect(standing({ found, chain: 'ours' })).toBe('ours');
    expect(standing({ found, chain: 'damaged' })).toBe('ours');
    expect(standing({ found, chain: 'foreign' })).toBe('theirs');
    expect(standing({ found, chain: 'foreign', foreign: 'take over' })).toBe('ours');
  });

  test('our ID on another host, with the same path, is ours only if the files are known', () => {
    const found = { ...OWNER, id: ID, machine: undefined };
    expect(standing({ found, self: { ...SELF, machine: undefined } })).toBe('theirs');
    expect(standing({ found, self: { ...SELF, machine: undefined }, chain: 'ours' })).toBe('ours');
  });

  test('another ID is ours only at exactly this place', () => {
    expect(standing({ found: { ...OWNER, ...HERE } })).toBe('ours');
    expect(standing({ found: { ...OWNER, ...HERE, path: '/srv/app.db' } })).toBe('theirs');
    expect(standing({ found: { ...OWNER, ...HERE, machine: 'm2' } })).toBe('theirs');
    // "app-0" of two clusters: without an ID of the machine, the name proves nothing.
    const self = { ...SELF, machine: undefined };
    expect(standing({ self, found: { ...OWNER, ...NAMELESS } })).toBe('theirs');
  });

  test('a database that was restored from there is ours, unless more was written since', () => {
    const restored = { owner: OTHER_ID, highest: 5n };
    const self = { ...SELF, restored };
    expect(standing({ self, highest: 5n })).toBe('ours');
    expect(standing({ self, highest: 4n })).toBe('ours');
    expect(standing({ self, highest: 6n })).toBe('theirs');
    expect(standing({ self: { ...SELF, restored: { ...restored, owner: ID } } })).toBe('theirs');
  });

  test('an owner that cannot be read is ours only if the files are known', () => {
    for (const found of ['damaged', 'newer'] as const) {
      expect(standing({ found, chain: 'ours' })).toBe('ours');
      expect(standing({ found, chain: 'damaged' })).toBe('ours');
      expect(standing({ found, chain: 'foreign' })).toBe('theirs');
      expect(standing({ found, foreign: 'take over' })).toBe('ours');
    }
  });

  test('an empty replica with an owner of a later version is theirs, with a damaged one it is ours', () => {
    expect(standing({ found: 'newer', chain: 'empty' })).toBe('theirs');
    expect(standing({ found: 'newer', chain: 'empty', foreign: 'take over' })).toBe('ours');
    expect(standing({ found: 'damaged', chain: 'empty' })).toBe('ours');
  });
});

describe('with a lease', () => {
  test('an owner that holds one is waited for, whoever it is, unless it is to be taken over', () => {
    const restored = { owner: OTHER_ID, highest: 5n };
    for (const found of [OWNER, { ...OWNER, id: ID, ...HERE }, { ...OWNER, ...HERE }]) {
      const given = { found, self: { ...SELF, restored }, lease: 'held' } as const;
      expect(standing(given)).toBe('held');
      expect(standing({ ...given, foreign: 'take over' })).toBe('ours');
      expect(standing({ ...given, lease: 'ended' })).toBe('ours');
    }
    expect(standing({ lease: 'none' })).toBe('theirs');
  });

  test('this run does not wait for itself: its first write had no answer', () => {
    const found = { ...OWNER, id: ID, run: RUN, ...HERE };
    expect(standing({ found, lease: 'held' })).toBe('ours');
  });

  test('a running replicator that lost its lease does not take it back, even if it has ended', () => {
    for (const lease of ['held', 'ended'] as const) {
      expect(standing({ epoch: 3, lease, foreign: 'take over' })).toBe('theirs');
    }
  });

  test('one that ended does not make a damaged owner object ours', () => {
    expect(standing({ found: 'damaged', lease: 'none' })).toBe('theirs');
  });
});

describe('while it runs', () => {
  const epoch = 3;

  test('this run stays the owner, and a missing owner is replaced', () => {
    expect(standing({ epoch, found: { ...OWNER, id: ID, run: RUN } })).toBe('ours');
    expect(standing({ epoch, found: undefined })).toBe('free');
  });

  test('an older state of its own is replaced, a newer owner is not, even with the same ID', () => {
    const found = { ...OWNER, id: ID, ...HERE };
    expect(standing({ epoch, found: { ...found, epoch: 2 } })).toBe('ours');
    expect(standing({ epoch, found: { ...found, epoch } })).toBe('ours'); // its write had no answer
    expect(standing({ epoch, found: { ...found, epoch: 4 } })).toBe('theirs');
    expect(standing({ epoch, found: { ...found, run: RUN, epoch: 4 } })).toBe('ours');
  });

  test('another owner is theirs, and "take over" does not take it back', () => {
    for (const theirs of [2, 3, 4]) {
      expect(standing({ epoch, found: { ...OWNER, epoch: theirs }, foreign: 'take over' })).toBe(
        'theirs',
      );
    }
    expect(standing({ epoch, found: 'damaged', foreign: 'take over' })).toBe('theirs');
  });
});

describe('the owner object', () => {
  test('keeps every field', () => {
    expect(parseOwner(formatOwner(OWNER))).toEqual(OWNER);
    const nameless = { ...OWNER, machine: undefined, txid: 0n };
    expect(parseOwner(formatOwner(nameless))).toEqual(nameless);
  });

  test.for(['id', 'run', 'epoch', 'host', 'path', 'pid', 'since', 'txid', 'format'])(
    'is not readable without %s',
    (field) => {
      const object = JSON.parse(formatOwner(OWNER)) as Record<string, unknown>;
      delete object[field];
      expect(parseOwner(JSON.stringify(object))).toBe('damaged');
    },
  );

  test('keeps its lease, and is not readable with one that is not valid', () => {
    const owner = { ...OWNER, lease: { ttlMs: 30_000, renewals: 7, state: 'held' } } as const;
    expect(parseOwner(formatOwner(owner))).toEqual(owner);
    const { lease: valid } = owner;
    const wrong = [
      ...[null, 7, 'held', {}],
      ...[-1, 0.5, '7'].flatMap((count) => [
        { ...valid, renewals: count },
        { ...valid, ttlMs: count },
      ]),
      ...['free', undefined].map((state) => ({ ...valid, state })),
    ];
    for (const lease of wrong) {
      const object = { ...(JSON.parse(formatOwner(OWNER)) as object), lease };
      expect(parseOwner(JSON.stringify(object))).toBe('damaged');
    }
  });

  test('is not readable with a field of another type, or as another kind of JSON', () => {
    const object = JSON.parse(formatOwner(OWNER)) as Record<string, unknown>;
    const short = OWNER.id.slice(1);
    for (const field of ['id', 'run', 'txid']) {
      for (const value of [7, short, `${short}G`, `0${OWNER.id}`]) {
        expect(parseOwner(JSON.stringify({ ...object, [field]: value }))).toBe('damaged');
      }
    }
    for (const field of ['host', 'path', 'since', 'machine']) {
      expect(parseOwner(JSON.stringify({ ...object, [field]: 7 }))).toBe('damaged');
    }
    for (const field of ['epoch', 'pid']) {
      for (const value of [-1, 0.5, '3', 2 ** 53]) {
        expect(parseOwner(JSON.stringify({ ...object, [field]: value }))).toBe('damaged');
      }
    }
    for (const text of ['null', '7', '"owner"', '[]']) expect(parseOwner(text)).toBe('damaged');
  });

  test('of a later version is known as such', () => {
    const object = JSON.parse(formatOwner(OWNER)) as Record<string, unknown>;
    expect(parseOwner(JSON.stringify({ ...object, format: 2 }))).toBe('newer');
    expect(parseOwner(JSON.stringify({ format: 3, whatever: true }))).toBe('newer');
    for (const format of [0, 1.5, '2', undefined]) {
      expect(parseOwner(JSON.stringify({ ...object, format }))).toBe('damaged');
    }
  });

  test('is not readable if it is cut short', () => {
    const text = formatOwner(OWNER).trimEnd();
    for (let length = 0; length < text.length; length++) {
      expect(parseOwner(text.slice(0, length))).toBe('damaged');
    }
  });
});
