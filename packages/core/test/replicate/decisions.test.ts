import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/error.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import { admit } from '../../src/replicate/destination/admission.ts';
import { decideBeginning } from '../../src/replicate/beginning.ts';
import {
  affordableBytes,
  planRelease,
  type BudgetInput,
} from '../../src/replicate/staged-files.ts';
import { isRefused } from '../../src/replicate/destination/upload-queue.ts';
import { stateOf, type DestinationFacts } from '../../src/replicate/destination/admission.ts';
import { backoffMs, BACKOFF_MS_MAX } from '../../src/replicate/destination/upload-queue.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const file = (level: number, min: number, max = min, sizeBytes = 100) => ({
  level,
  minTXID: toTXID(min),
  maxTXID: toTXID(max),
  sizeBytes,
  modifiedAt: new Date(0),
});
const LINEAGE = 0xabcn;
const sent = (txid: number, checksum = 'aa') => ({
  txid: BigInt(txid),
  sizeBytes: 100,
  checksum,
  lineage: LINEAGE,
});

describe('increments continue only if the newest file is the one that was sent', () => {
  const files = FileSet.of([file(0, 4), file(0, 5), file(9, 1, 4)]);
  const newest = { txid: 5n, lineage: LINEAGE };
  const input = { files, top: sent(5), record: undefined, staged: undefined, newest };

  test('its newest file is the recorded one', () => {
    expect(admit({ ...input, record: sent(5) })).toEqual({
      chain: 'ours',
      lineage: LINEAGE,
      since: 4n, // of its newest full snapshot
      why: undefined,
    });
  });
  test('it began with the full snapshot that is recorded, if that is known', () => {
    const known = { ...sent(5), since: 3n };
    expect(admit({ ...input, record: known }).since).toBe(3n);
    expect(admit({ ...input, record: { ...known, lineage: 0n } }).since).toBe(4n);
    expect(admit({ ...input, record: { ...known, txid: 4n }, staged: sent(5) }).since).toBe(3n);
  });
  test('its newest file is still staged', () => {
    expect(admit({ ...input, record: sent(4), staged: sent(5) }).chain).toBe('ours');
  });
  test('not if it has other bytes under the same TXID', () => {
    expect(admit({ ...input, record: sent(5, 'bb') }).chain).toBe('foreign');
    expect(admit({ ...input, record: { ...sent(5), sizeBytes: 99 } }).chain).toBe('foreign');
  });
  test('not if nothing is recorded; the reason does not claim that something was sent', () => {
    const { chain, why } = admit(input);
    expect(chain).toBe('foreign');
    expect(why).toMatch(
      /^it ends with TXID 0000000000000005, but the staging folder has no record/,
    );
    expect(admit({ ...input, record: sent(5, 'bb') }).why).toMatch(/is not the one that was sent/);
  });
  test('not if any level has a higher TXID', () => {
    const above = FileSet.of([file(0, 4), file(0, 5), file(9, 1, 4), file(1, 6)]);
    expect(admit({ ...input, files: above, record: sent(5) }).chain).toBe('foreign');
  });
  test('not if the newest TXID has another lineage', () => {
    const record = { ...sent(5), lineage: 7n };
    expect(admit({ ...input, top: record, record }).chain).toBe('foreign');
    const older = { ...input, newest: { txid: 6n, lineage: LINEAGE } }; // its next file decides
    expect(admit({ ...older, top: record, record }).chain).toBe('ours');
  });
  test('an old record without a lineage is accepted, because the file has it', () => {
    const admission = admit({ ...input, record: { ...sent(5), lineage: 0n } });
    expect(admission).toMatchObject({ chain: 'ours', lineage: LINEAGE });
  });
  test('a destination without files is empty', () => {
    const empty = { ...input, files: new FileSet(), top: undefined };
    expect(admit(empty)).toEqual({ chain: 'empty', lineage: 0n, why: undefined });
  });
});

describe('a destination with missing files is damaged, with a description', () => {
  const newest = { txid: 9n, lineage: LINEAGE };
  const admitFiles = (
    record: number,
    ...files: ReturnType<typeof file>[]
  ): ReturnType<typeof admit> => {
    const set = FileSet.of(files);
    const top = set.newestOf(0) && sent(Number(set.topOf(0)));
    return admit({ files: set, top, record: sent(record), staged: undefined, newest });
  };

  test.for<[string, ReturnType<typeof file>[], string]>([
    [
      'a file in the middle',
      [file(0, 1), file(0, 2), file(0, 4)],
      'TXID 0000000000000003 is missing after 0000000000000002',
    ],
    [
      'several files',
      [file(9, 1, 1), file(0, 4)],
      'TXID 0000000000000002 to 0000000000000003 is missing after 0000000000000001',
    ],
    [
      'the snapshot',
      [file(0, 3), file(0, 4)],
      'its full snapshot is missing: no file there starts with TXID 0000000000000001',
    ],
    [
      'the contents of a file',
      [file(0, 1), file(0, 2, 2, 0), file(0, 3), file(0, 4)],
      'TXID 0000000000000002 is missing after 0000000000000001',
    ],
  ])('%s', ([, files, why]) => {
    expect(admitFiles(4, ...files)).toEqual({ chain: 'damaged', lineage: LINEAGE, why });
  });
  test('the newest files, as in an older copy', () => {
    const admission = admitFiles(9, file(0, 1), file(0, 2));
    expect(admission).toMatchObject({ chain: 'damaged', lineage: 0n });
    expect(admission.why).toMatch(/ends with TXID 0{15}2, but TXID 0{15}9 was sent there/);
  });
  test('not if a file of another level spans the gap', () => {
    expect(admitFiles(4, file(0, 1), file(1, 1, 3), file(0, 4)).chain).toBe('ours');
  });
  test('a destination that was emptied is reported', () => {
    const admission = admitFiles(4);
    expect(admission.chain).toBe('empty');
    expect(admission.why).toMatch(/is empty, but TXID 0{15}4 was sent there/);
  });
});

describe('replication resumes only if continuity is proved', () => {
  const at = (chain: 'ours' | 'foreign' | 'damaged' | 'empty' | undefined, highest: bigint) => ({
    name: 'x',
    chain,
    highest,
  });
  const known = { proved: 5n, why: undefined, checksummed: undefined, lastTXID: 5n, records: [] };
  const input = { ...known, after: 'start' } as const;

  test('resumes if continuity is proved and every destination is ours', () => {
    const order = decideBeginning({ ...input, destinations: [at('ours', 5n), at('ours', 3n)] });
    expect(order.mode).toBe('resume');
  });
  test('an image above every known TXID if continuity is not proved', () => {
    const destinations = [at('foreign', 9n), at(undefined, 0n)];
    const order = decideBeginning({ ...input, proved: undefined, destinations });
    expect(order).toMatchObject({ mode: 'image', floor: 9n });
  });
  test('an image if another writer has continued', () => {
    const order = decideBeginning({ ...input, destinations: [at('foreign', 6n), at('ours', 5n)] });
    expect(order).toMatchObject({ mode: 'image', floor: 6n });
  });
  test('a database that was idle goes on, whatever another writer has sent', () => {
    const idle = { ...input, after: 'idle', destinations: [at('foreign', 9n)] } as const;
    expect(decideBeginning(idle)).toMatchObject({ mode: 'resume' });
    const unproved = { ...idle, proved: undefined, why: 'lost', checksummed: 5n };
    expect(decideBeginning(unproved)).toMatchObject({ mode: 'changes' });
    expect(decideBeginning({ ...unproved, checksummed: undefined }).mode).toBe('image');
    expect(decideBeginning({ ...unproved, lastTXID: 6n }).mode).toBe('image');
  });
  test('an image if more was sent than the staging folder contains', () => {
    const records = [{ txid: 4n }, { txid: 8n }];
    const order = decideBeginning({ ...input, records, destinations: [at(undefined, 0n)] });
    expect(order).toMatchObject({ mode: 'image', floor: 8n });
    expect(order.why).toMatch(/TXID 0{15}8 was sent.* has only TXID 0{15}5: it was lost in part/);
  });
  test('an image gets an unused TXID even if no destination responds', () => {
    const records = [{ txid: 4n }];
    const lost = { ...input, proved: undefined, why: 'lost', lastTXID: 7n, records };
    const destinations = [at(undefined, 0n), at('empty', 0n)];
    expect(decideBeginning({ ...lost, destinations })).toMatchObject({ mode: 'image', floor: 7n });
    const later = { ...lost, records: [{ txid: 11n }] };
    expect(decideBeginning({ ...later, destinations })).toMatchObject({ floor: 11n });
  });
  test('no image for a damaged destination: a snapshot repairs it without affecting others', () => {
    expect(decideBeginning({ ...input, destinations: [at('damaged', 5n)] }).mode).toBe('resume');
  });
  test('no image for a destination that is empty, far behind or not listed yet', () => {
    const destinations = [at('empty', 0n), at('foreign', 2n), at(undefined, 0n)];
    expect(decideBeginning({ ...input, destinations }).mode).toBe('resume');
  });

  const changed = { ...input, proved: undefined, why: 'lost', checksummed: 5n };
  test('only changed pages if the newest file anywhere has checksums', () => {
    const destinations = [at('ours', 5n), at('empty', 0n), at('foreign', 2n), at(undefined, 0n)];
    const order = decideBeginning({ ...changed, records: [{ txid: 5n }], destinations });
    expect(order).toEqual({ mode: 'changes', floor: 5n, why: 'lost' });
    expect(decideBeginning({ ...changed, destinations: [at('ours', 3n)] }).mode).toBe('changes');
    expect(decideBeginning({ ...changed, proved: 5n, destinations }).mode).toBe('resume');
  });
  test.for([
    ['without checksums', { checksummed: undefined }],
    ['if a newer file is staged or was lost', { lastTXID: 6n }],
    ['if a newer file was sent', { records: [{ txid: 6n }] }],
    ['if a destination is ahead', { destinations: [at('ours', 5n), at('damaged', 6n)] }],
    ['if another writer has continued', { destinations: [at('ours', 5n), at('foreign', 5n)] }],
    ['if no destination has the history', { destinations: [at('empty', 0n), at('damaged', 5n)] }],
    ['if no destination could be listed', { destinations: [at(undefined, 0n)] }],
    ['without destinations', { destinations: [] }],
  ] as const)('an image, not only changed pages, %s', ([, change]) => {
    const destinations = [at('ours', 5n)];
    expect(decideBeginning({ ...changed, destinations, ...change }).mode).toBe('image');
  });
});

describe('staging is bounded', () => {
  const files = [1, 2, 3, 4].map((txid) => ({
    txid: BigInt(txid),
    sizeBytes: 10,
    content: 'increment' as const,
  }));

  test('files that every destination has are freed', () => {
    const holders = [
      { name: 'a', releasable: 2n, needs: 'staged files' as const },
      { name: 'b', releasable: 3n, needs: 'staged files' as const },
    ];
    const plan = planRelease({ files, maxBytes: 1000, holders });
    expect(plan).toEqual({ releaseTo: 2n, lagging: [] });
  });
  test('over the limit only the slowest destination loses its files', () => {
    const holders = [
      { name: 'a', releasable: 0n, needs: 'staged files' as const },
      { name: 'b', releasable: 3n, needs: 'staged files' as const },
    ];
    const plan = planRelease({ files, maxBytes: 30, holders });
    expect(plan).toEqual({ releaseTo: 3n, lagging: ['a'] });
    const slower = [
      holders[0],
      { name: 'b', releasable: 1n, needs: 'staged files' as const },
    ] as typeof holders;
    expect(planRelease({ files, maxBytes: 30, holders: slower })).toEqual({
      releaseTo: 1n,
      lagging: ['a'],
    });
  });
  test('the newest file stays regardless of the limit', () => {
    const plan = planRelease({
      files,
      maxBytes: 0,
      holders: [{ name: 'a', releasable: 0n, needs: 'staged files' as const }],
    });
    expect(plan.releaseTo).toBe(4n); // a backlog keeps its newest file (backlog.ts)
    expect(planRelease({ files, maxBytes: 0, holders: [] }).releaseTo).toBe(3n);
  });
  test('a destination that lost a file continues from an image or a snapshot and keeps the files after it', () => {
    const holders = [{ name: 'a', releasable: 0n, needs: 'staged files' as const }];
    const image = files.map((file) =>
      file.txid === 3n ? { ...file, content: 'image' as const } : file,
    );
    expect(planRelease({ files: image, maxBytes: 30, holders }).releaseTo).toBe(2n);
    const snapshot = { txid: 3n };
    expect(planRelease({ files, maxBytes: 30, holders, snapshot }).releaseTo).toBe(3n);
    expect(planRelease({ files, maxBytes: 30, holders, snapshot: { txid: 0n } }).releaseTo).toBe(
      4n,
    );
  });
  test('a destination that needs a snapshot needs no file staged before it; other destinations keep theirs', () => {
    const needy = { name: 'a', releasable: 0n, needs: 'snapshot' as const };
    const other = { name: 'b', releasable: 2n, needs: 'staged files' as const };
    const plan = (holders: BudgetInput['holders']) =>
      planRelease({ files, maxBytes: 1000, holders });
    expect(plan([needy])).toEqual({ releaseTo: 4n, lagging: [] });
    expect(plan([needy, other])).toEqual({ releaseTo: 2n, lagging: [] });
    expect(plan([{ ...needy, releasable: 9n }]).releaseTo).toBe(9n);
  });

  test('a tenth of the volume is kept free', () => {
    const room = { availableBytes: 300, reserveBytes: 100 };
    expect(affordableBytes(1_000_000, 500, room)).toBe(700);
    expect(affordableBytes(600, 500, room)).toBe(600);
    // The limit is reached when only the reserve is free.
    expect(affordableBytes(1_000_000, 700, { availableBytes: 100, reserveBytes: 100 })).toBe(700);
  });
  test('if other programs use the reserve, staging uses half of the rest', () => {
    expect(affordableBytes(1_000_000, 40, { availableBytes: 20, reserveBytes: 100 })).toBe(30);
    expect(affordableBytes(1_000_000, 0, { availableBytes: 60, reserveBytes: 100 })).toBe(30);
    expect(affordableBytes(1_000_000, 0, { availableBytes: 0, reserveBytes: 100 })).toBe(0);
  });
});

describe('the state of a destination is derived from facts', () => {
  const facts: DestinationFacts = {
    isClosed: false,
    hasFailed: false,
    chain: 'ours',
    isSeeding: false,
  };
  test.for<[Partial<DestinationFacts>, ReturnType<typeof stateOf>]>([
    [{}, 'streaming'],
    [{ isSeeding: true }, 'seeding'],
    [{ chain: undefined }, 'listing'],
    [{ chain: 'empty' }, 'seeding'],
    [{ chain: 'foreign' }, 'seeding'],
    [{ chain: 'half-seeded' }, 'seeding'],
    [{ chain: 'damaged' }, 'damaged'],
    [{ chain: 'damaged', isSeeding: true }, 'damaged'],
    [{ chain: 'damaged', hasFailed: true }, 'failing'],
    [{ chain: undefined, hasFailed: true }, 'failing'],
    [{ hasFailed: true, isClosed: true }, 'closed'],
  ])('%o is %s', ([some, state]) => {
    expect(stateOf({ ...facts, ...some })).toBe(state);
  });
});

describe('a destination refuses a kind of file', () => {
  const failing = (code: ErrorCode, failures: number, status?: number) => ({
    failure: { code, status, message: '', atMs: 0, failedAt: 0 },
    failures,
  });
  test.for<ErrorCode>(['REPLICA_PERMISSION_DENIED', 'REPLICA_FULL', 'REPLICA_UNKNOWN'])(
    'after three consecutive %s errors',
    (code) => {
      expect(isRefused(failing(code, 2))).toBe(false);
      expect(isRefused(failing(code, 3))).toBe(true);
    },
  );
  test('after a long outage for that kind of file only', () => {
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 11))).toBe(false);
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 12))).toBe(true);
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 3, 413))).toBe(true); // an error page of a proxy
    expect(isRefused({ failure: undefined, failures: 0 })).toBe(false);
  });
});

test('the wait after failures doubles up to a maximum', () => {
  const waits = [1, 2, 3, 10, 1000].map((failures) =>
    backoffMs(failures, { fraction: () => 1, bits64: () => 1n }),
  );
  expect(waits.slice(0, 3)).toEqual([500, 1000, 2000]);
  expect(waits.at(-1)).toBe(BACKOFF_MS_MAX);
});

test('the wait after failures varies by half, so that replicators do not return together', () => {
  const waitAt = (fraction: number): number =>
    backoffMs(2, { fraction: () => fraction, bits64: () => 1n });
  expect([0, 0.5, 1].map(waitAt)).toEqual([500, 750, 1000]);
});
