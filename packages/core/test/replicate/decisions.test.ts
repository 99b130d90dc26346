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
import { snapshotDueInMs } from '../../src/replicate/destination/snapshot-age.ts';
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

describe('a destination goes on only where it ends with what was sent there', () => {
  const files = FileSet.of([file(0, 4), file(0, 5), file(9, 1, 4)]);
  const newest = { txid: 5n, lineage: LINEAGE };
  const input = { files, top: sent(5), record: undefined, staged: undefined, newest };

  test('with the file that was recorded', () => {
    expect(admit({ ...input, record: sent(5) })).toEqual({
      chain: 'ours',
      lineage: LINEAGE,
      why: undefined,
    });
  });
  test('with a file that still is staged', () => {
    expect(admit({ ...input, record: sent(4), staged: sent(5) }).chain).toBe('ours');
  });
  test('not with the same TXID of other bytes', () => {
    expect(admit({ ...input, record: sent(5, 'bb') }).chain).toBe('foreign');
    expect(admit({ ...input, record: { ...sent(5), sizeBytes: 99 } }).chain).toBe('foreign');
  });
  test('not with anything above it at any level', () => {
    const above = FileSet.of([file(0, 4), file(0, 5), file(9, 1, 4), file(1, 6)]);
    expect(admit({ ...input, files: above, record: sent(5) }).chain).toBe('foreign');
  });
  test('not with a file of another lineage under the newest TXID', () => {
    const record = { ...sent(5), lineage: 7n };
    expect(admit({ ...input, top: record, record }).chain).toBe('foreign');
    const older = { ...input, newest: { txid: 6n, lineage: LINEAGE } }; // its next file will tell
    expect(admit({ ...older, top: record, record }).chain).toBe('ours');
  });
  test('also with a record of before lineages were recorded: the file itself bears it', () => {
    const admission = admit({ ...input, record: { ...sent(5), lineage: 0n } });
    expect(admission).toMatchObject({ chain: 'ours', lineage: LINEAGE });
  });
  test('nothing there is nobody’s', () => {
    const empty = { ...input, files: new FileSet(), top: undefined };
    expect(admit(empty)).toEqual({ chain: 'empty', lineage: 0n, why: undefined });
  });
});

describe('a destination of which something is missing is damaged, in words', () => {
  const newest = { txid: 9n, lineage: LINEAGE };
  const judge = (record: number, ...files: ReturnType<typeof file>[]): ReturnType<typeof admit> => {
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
      'a stretch',
      [file(9, 1, 1), file(0, 4)],
      'TXID 0000000000000002 to 0000000000000003 is missing after 0000000000000001',
    ],
    [
      'the snapshot',
      [file(0, 3), file(0, 4)],
      'its full snapshot is missing: no file there starts with TXID 0000000000000001',
    ],
    [
      'the bytes of a file',
      [file(0, 1), file(0, 2, 2, 0), file(0, 3), file(0, 4)],
      'TXID 0000000000000002 is missing after 0000000000000001',
    ],
  ])('%s', ([, files, why]) => {
    expect(judge(4, ...files)).toEqual({ chain: 'damaged', lineage: LINEAGE, why });
  });
  test('the newest files, as of an older copy', () => {
    const admission = judge(9, file(0, 1), file(0, 2));
    expect(admission).toMatchObject({ chain: 'damaged', lineage: 0n });
    expect(admission.why).toMatch(/ends with TXID 0{15}2, but TXID 0{15}9 was sent there/);
  });
  test('but not where a file of another level spans it', () => {
    expect(judge(4, file(0, 1), file(1, 1, 3), file(0, 4)).chain).toBe('ours');
  });
  test('and what is empty now is told of', () => {
    const admission = judge(4);
    expect(admission.chain).toBe('empty');
    expect(admission.why).toMatch(/is empty, but TXID 0{15}4 was sent there/);
  });
});

describe('a history resumes only where it is proved', () => {
  const at = (chain: 'ours' | 'foreign' | 'damaged' | 'empty' | undefined, highest: bigint) => ({
    name: 'x',
    chain,
    highest,
  });
  const input = { proved: 5n, why: undefined, lastTXID: 5n, records: [] };

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
  test('an image where more was sent than the staging folder knows of', () => {
    const records = [{ txid: 4n }, { txid: 8n }];
    const order = decideBeginning({ ...input, records, destinations: [at(undefined, 0n)] });
    expect(order).toMatchObject({ mode: 'image', floor: 8n });
    expect(order.why).toMatch(/TXID 0{15}8 was sent.* has only TXID 0{15}5: it was lost in part/);
  });
  test('an image bears a TXID that was never given out, also where nobody answers', () => {
    const lost = { proved: undefined, why: 'lost', lastTXID: 7n, records: [{ txid: 4n }] };
    const destinations = [at(undefined, 0n), at('empty', 0n)];
    expect(decideBeginning({ ...lost, destinations })).toMatchObject({ mode: 'image', floor: 7n });
    const records = [{ txid: 11n }];
    expect(decideBeginning({ ...lost, records, destinations })).toMatchObject({ floor: 11n });
  });
  test('no image for one that is damaged: a snapshot mends it, and the others are spared', () => {
    expect(decideBeginning({ ...input, destinations: [at('damaged', 5n)] }).mode).toBe('resume');
  });
  test('no image for one that is empty, far behind or not heard of', () => {
    const destinations = [at('empty', 0n), at('foreign', 2n), at(undefined, 0n)];
    expect(decideBeginning({ ...input, destinations }).mode).toBe('resume');
  });
});

describe('staging is bounded', () => {
  const files = [1, 2, 3, 4].map((txid) => ({
    txid: BigInt(txid),
    sizeBytes: 10,
    content: 'increment' as const,
  }));

  test('what every destination has is freed', () => {
    const holders = [
      { name: 'a', releasable: 2n, needs: 'staged files' as const },
      { name: 'b', releasable: 3n, needs: 'staged files' as const },
    ];
    const plan = planRelease({ files, maxBytes: 1000, holders });
    expect(plan).toEqual({ releaseTo: 2n, laggards: [] });
  });
  test('beyond the budget the slowest loses its files, the others do not', () => {
    const holders = [
      { name: 'a', releasable: 0n, needs: 'staged files' as const },
      { name: 'b', releasable: 3n, needs: 'staged files' as const },
    ];
    const plan = planRelease({ files, maxBytes: 30, holders });
    expect(plan).toEqual({ releaseTo: 3n, laggards: ['a'] });
    const slower = [
      holders[0],
      { name: 'b', releasable: 1n, needs: 'staged files' as const },
    ] as typeof holders;
    expect(planRelease({ files, maxBytes: 30, holders: slower })).toEqual({
      releaseTo: 1n,
      laggards: ['a'],
    });
  });
  test('the newest file stays, whatever the budget', () => {
    const plan = planRelease({
      files,
      maxBytes: 0,
      holders: [{ name: 'a', releasable: 0n, needs: 'staged files' as const }],
    });
    expect(plan.releaseTo).toBe(4n); // a backlog keeps its newest file (backlog.ts)
    expect(planRelease({ files, maxBytes: 0, holders: [] }).releaseTo).toBe(3n);
  });
  test('one that lost a file goes on from an image or a snapshot, and keeps what follows', () => {
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
  test('whoever needs a snapshot wants nothing that is staged before it; others keep theirs', () => {
    const needy = { name: 'a', releasable: 0n, needs: 'snapshot' as const };
    const other = { name: 'b', releasable: 2n, needs: 'staged files' as const };
    const plan = (holders: BudgetInput['holders']) =>
      planRelease({ files, maxBytes: 1000, holders });
    expect(plan([needy])).toEqual({ releaseTo: 4n, laggards: [] });
    expect(plan([needy, other])).toEqual({ releaseTo: 2n, laggards: [] });
    expect(plan([{ ...needy, releasable: 9n }]).releaseTo).toBe(9n);
  });

  test('a tenth of the volume is left to others', () => {
    const room = { availableBytes: 300, reserveBytes: 100 };
    expect(affordableBytes(1_000_000, 500, room)).toBe(700);
    expect(affordableBytes(600, 500, room)).toBe(600);
    // What is staged until there is no room but the reserve is all that may be staged.
    expect(affordableBytes(1_000_000, 700, { availableBytes: 100, reserveBytes: 100 })).toBe(700);
  });
  test('where others have touched the reserve, half of what is left is theirs', () => {
    expect(affordableBytes(1_000_000, 40, { availableBytes: 20, reserveBytes: 100 })).toBe(30);
    expect(affordableBytes(1_000_000, 0, { availableBytes: 60, reserveBytes: 100 })).toBe(30);
    expect(affordableBytes(1_000_000, 0, { availableBytes: 0, reserveBytes: 100 })).toBe(0);
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

describe('the state of a destination follows from what is known of it', () => {
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
    'when it says so three times in a row, by %s',
    (code) => {
      expect(isRefused(failing(code, 2))).toBe(false);
      expect(isRefused(failing(code, 3))).toBe(true);
    },
  );
  test('when an outage of that kind of file alone lasts', () => {
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 11))).toBe(false);
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 12))).toBe(true);
    expect(isRefused(failing('REPLICA_UNAVAILABLE', 3, 413))).toBe(true); // a proxy's web page
    expect(isRefused({ failure: undefined, failures: 0 })).toBe(false);
  });
});

test('the wait after failures doubles and is bounded', () => {
  const waits = [1, 2, 3, 10, 1000].map((failures) =>
    backoffMs(failures, { fraction: () => 1, bits64: () => 1n }),
  );
  expect(waits.slice(0, 3)).toEqual([500, 1000, 2000]);
  expect(waits.at(-1)).toBe(BACKOFF_MS_MAX);
});
