/** What proves that nothing is missing, decided from evidence alone. */

import { describe, expect, test } from 'vitest';
import {
  isSettled,
  isUntouched,
  isWritten,
  toFileStamp,
  type FileEvidence,
} from '../../src/database/continuity/evidence.ts';
import { isLogOfFormerFile } from '../../src/database/continuity/former-log.ts';
import {
  formatPosition,
  parsePosition,
  type Position,
} from '../../src/database/continuity/position.ts';
import {
  doubtReading,
  NOWHERE,
  proveContinuity,
  type ReadEvidence,
  type StartEvidence,
} from '../../src/database/continuity/proof.ts';
import { PageWitnesses } from '../../src/database/continuity/witnesses.ts';
import { toTXID } from '../../src/ltx/txid.ts';

const FILE: FileEvidence = {
  device: 1n,
  inode: 2n,
  bornNs: 3n,
  sizeBytes: 81_920n,
  modifiedNs: 5_000_000_001n,
  changedNs: 5_000_000_001n,
  firstPage: 0xabcdef0123456789n,
};
const POSITION: Position = {
  txid: toTXID(7),
  pageSize: 4096,
  commit: 20,
  frame: 30,
  salt1: 1,
  salt2: 2,
  checksum: { s0: 3, s1: 4 },
  lineage: 0xabcn,
  file: FILE,
  atRest: false,
};
const HEADER = {
  order: 'little-endian',
  pageSize: 4096,
  checkpointSequence: 0,
  salt1: 1,
  salt2: 2,
  checksum: { s0: 0, s1: 0 },
} as const;
const FRAME = { pgno: 5, commit: 20, salt1: 1, salt2: 2, checksum: { s0: 3, s1: 4 } };
const EVIDENCE: StartEvidence = {
  position: POSITION,
  newestStaged: toTXID(7),
  pageSize: 4096,
  file: FILE,
  header: HEADER,
  log: 30,
  frame: FRAME,
};
const AT_REST: StartEvidence = { ...EVIDENCE, position: { ...POSITION, atRest: true } };
const ANOTHER_LOG = { ...HEADER, salt1: 9, checksum: { s0: 7, s1: 8 } };

/** Each way in which a file may show that it is not what it was. */
const OTHER_FILES: Readonly<Record<string, Partial<FileEvidence>>> = {
  'another inode': { inode: 9n },
  'the same inode, born later': { bornNs: 9n },
  'another size': { sizeBytes: 4096n },
  'another time of modification': { modifiedNs: 5_000_000_002n },
  'a modification time that was set back, which is a change': { changedNs: 6_000_000_000n },
  'another page 1': { firstPage: 1n },
  'another device, where no birth time tells': { device: 9n, bornNs: undefined },
};

describe('continuity at a start', () => {
  const after30 = { header: HEADER, frame: 30, checksum: FRAME.checksum };
  test('is proved where the last replicated frame lies in the log as it did', () => {
    expect(proveContinuity(EVIDENCE)).toMatchObject({ proved: true, from: after30 });
    expect(proveContinuity({ ...EVIDENCE, log: 99 })).toMatchObject({ from: after30 });
    expect(proveContinuity(AT_REST)).toMatchObject({ proved: true, from: after30 });
  });
  test('is proved over a remount, which changes the number of the device and nothing else', () => {
    const file = { ...FILE, device: 9n };
    expect(proveContinuity({ ...EVIDENCE, file }).proved).toBe(true);
  });
  test('is proved at rest where the log is gone: then nothing is new', () => {
    const gone = { ...AT_REST, header: undefined, log: 0, frame: undefined };
    expect(proveContinuity(gone)).toMatchObject({ proved: true, from: NOWHERE });
    expect(proveContinuity({ ...AT_REST, log: 0 })).toMatchObject({ proved: true, from: NOWHERE });
  });
  test('is proved at rest where the log has begun anew: then all of it is new', () => {
    const anew = { ...AT_REST, header: ANOTHER_LOG, log: 5 };
    const from = { header: ANOTHER_LOG, frame: 0, checksum: ANOTHER_LOG.checksum };
    expect(proveContinuity(anew)).toMatchObject({ proved: true, from });
  });

  const doubts: [string, Partial<StartEvidence>][] = [
    ['without a position', { position: undefined }],
    ['with a position of an older file', { newestStaged: toTXID(8) }],
    ['with a position that knows no database file', { position: { ...POSITION, file: undefined } }],
    ['while the database file is written to', { file: undefined }],
    ['after a change of page size', { pageSize: 8192 }],
    ['of an empty log', { position: { ...POSITION, frame: 0 } }],
    ['without a WAL', { header: undefined }],
    ['after a restart of the log', { header: ANOTHER_LOG }],
    ['of a shorter log', { log: 29 }],
    ['without the frame', { frame: undefined }],
    ['with a frame of another log', { frame: { ...FRAME, salt2: 9 } }],
    ['with a frame that was written over', { frame: { ...FRAME, checksum: { s0: 3, s1: 5 } } }],
    ...Object.entries(OTHER_FILES).map(([what, change]): [string, Partial<StartEvidence>] => [
      `with a file of ${what}`,
      { file: { ...FILE, ...change } },
    ]),
  ];
  for (const [name, change] of doubts) {
    test(`is not proved ${name}`, () => {
      expect(proveContinuity({ ...EVIDENCE, ...change }).proved).toBe(false);
    });
  }
  for (const [what, change] of Object.entries(OTHER_FILES)) {
    test(`is not proved at rest with a file of ${what}, whatever the log`, () => {
      const file = { ...FILE, ...change };
      const gone = { ...AT_REST, file, header: undefined, log: 0, frame: undefined };
      expect(proveContinuity(gone).proved).toBe(false);
      expect(proveContinuity({ ...AT_REST, file, header: ANOTHER_LOG }).proved).toBe(false);
      expect(proveContinuity({ ...AT_REST, file }).proved).toBe(false);
    });
  }
  test('is not proved at rest by a log that is the same and was cut short', () => {
    expect(proveContinuity({ ...AT_REST, log: 29 }).proved).toBe(false);
    expect(proveContinuity({ ...AT_REST, header: undefined, log: 5 }).proved).toBe(false);
  });
});

describe('what was read of the log at a start', () => {
  const read: ReadEvidence = {
    log: 50,
    read: 50,
    headerBefore: HEADER,
    headerAfter: HEADER,
    spilled: false,
    logAfter: 50,
    checkpointedAfter: 50,
  };
  const spilled = { ...read, spilled: true };
  test('counts where the log is the same afterwards', () => {
    expect(doubtReading(read)).toBeUndefined();
  });
  test('does not count where the log restarted, or ended early', () => {
    expect(doubtReading({ ...read, headerAfter: ANOTHER_LOG })).toBeDefined();
    expect(doubtReading({ ...read, headerAfter: undefined })).toBeDefined();
    expect(doubtReading({ ...read, read: 49 })).toBeDefined();
  });
  test('counts by frame number only while frames keep the log from restarting', () => {
    expect(doubtReading({ ...spilled, checkpointedAfter: 49 })).toBeUndefined();
    expect(doubtReading(spilled)).toBeDefined();
    expect(doubtReading({ ...spilled, logAfter: -1, checkpointedAfter: -1 })).toBeDefined();
  });
});

describe('the position file', () => {
  test.for([
    POSITION,
    { ...POSITION, atRest: true },
    { ...POSITION, file: undefined },
    { ...POSITION, file: { ...FILE, bornNs: undefined, changedNs: 2n ** 63n - 1n } },
  ])('comes back as it was written', (position) => {
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });
  test('is no position when it is torn anywhere', () => {
    const text = formatPosition(POSITION).trimEnd();
    for (let length = 0; length < text.length; length++) {
      expect(parsePosition(text.slice(0, length))).toBeUndefined();
    }
  });
  test('of an earlier version proves nothing', () => {
    const text = formatPosition(POSITION).replace('"version": 2', '"version": 1');
    expect(parsePosition(text)).toBeUndefined();
  });
});

describe('what a file shows', () => {
  const stats = {
    dev: 1n,
    ino: 2n,
    size: 3n,
    birthtimeNs: 4n,
    mtimeNs: 5n,
    ctimeNs: 6n,
  } as unknown as Parameters<typeof toFileStamp>[0];
  test('has no birth time where the file system keeps none', () => {
    expect(toFileStamp(stats).bornNs).toBe(4n);
    expect(toFileStamp({ ...stats, birthtimeNs: 0n }).bornNs).toBeUndefined();
    expect(toFileStamp({ ...stats, birthtimeNs: 6n }).bornNs).toBeUndefined();
  });
  test('is unwritten after chmod, and not untouched', () => {
    const changed = { ...FILE, changedNs: 9_000_000_000n };
    expect(isWritten(FILE, changed)).toBe(false);
    expect(isUntouched(FILE, changed)).toBe(false);
  });
  test('is settled once a write is sure to get another time', () => {
    const atMs = 1_700_000_000_123;
    const written = BigInt(atMs) * 1_000_000n + 456_789n;
    const stamp = { ...FILE, modifiedNs: written, changedNs: written };
    expect(isSettled(stamp, atMs)).toBe(false);
    expect(isSettled(stamp, atMs + 10)).toBe(false);
    expect(isSettled(stamp, atMs + 100)).toBe(true);
    expect(isSettled(stamp, atMs - 3_600_000)).toBe(true); // the clock was set back: no write gets that time
  });
  test('is settled later where times are whole seconds', () => {
    const written = 1_700_000_000_000_000_000n;
    const stamp = { ...FILE, modifiedNs: written, changedNs: written };
    expect(isSettled(stamp, 1_700_000_001_900)).toBe(false);
    expect(isSettled(stamp, 1_700_000_003_000)).toBe(true);
  });
});

describe('the log of a former file', () => {
  const evidence = {
    position: POSITION,
    known: FILE,
    file: { ...FILE, inode: 9n, firstPage: 1n, changedNs: 8n },
    header: HEADER,
    frame: FRAME,
    logModifiedNs: 7n,
  };
  test('is the one that was followed, beside a file of another page 1', () => {
    expect(isLogOfFormerFile(evidence)).toBe(true);
  });
  test.for([
    ['with a log that has begun anew', { header: ANOTHER_LOG }],
    ['with a log that was cut short', { frame: undefined }],
    ['with the database that it belongs to', { file: FILE }],
    ['with a copy of that database', { file: { ...FILE, inode: 9n, changedNs: 8n } }],
    ['where somebody has written to it since', { logModifiedNs: 9n }],
  ] as const)('is not found %s', ([, change]) => {
    expect(isLogOfFormerFile({ ...evidence, ...change })).toBe(false);
  });
});

describe('pages as witnesses', () => {
  const file = new Map<number, bigint>();
  const hashPage = (pgno: number): bigint | undefined => file.get(pgno);
  const never = (): number => 1;
  const add = (
    to: PageWitnesses,
    ...frames: [pgno: number, frame: number, hash: bigint][]
  ): void => {
    for (const [pgno, frame, hash] of frames) to.add(pgno, frame, () => hash);
  };
  const witnesses = (unknownTo = 0): PageWitnesses => {
    file.clear();
    return new PageWitnesses(unknownTo);
  };

  test('say nothing of a page that no checkpoint has written yet', () => {
    const all = witnesses();
    add(all, [2, 5, 50n]);
    expect(all.findForeign(4, hashPage)).toBeUndefined();
  });
  test('find a page that is not as its newest frame has it', () => {
    const all = witnesses();
    add(all, [2, 5, 50n], [3, 6, 60n]);
    file.set(2, 50n).set(3, 61n);
    expect(all.findForeign(6, hashPage)).toBe(3);
    file.set(3, 60n);
    expect(all.findForeign(6, hashPage)).toBeUndefined();
    file.delete(3);
    expect(all.findForeign(6, hashPage)).toBe(3);
  });
  test('say nothing of a page that has a frame which is not backfilled: it may be left as it was', () => {
    const all = witnesses();
    add(all, [2, 5, 50n], [2, 9, 90n]);
    file.set(2, 20n);
    expect(all.findForeign(7, hashPage)).toBeUndefined();
    expect(all.findForeign(9, hashPage)).toBe(2);
  });
  test('know of page 1 what it was, and what it may have become', () => {
    const all = witnesses();
    expect(all.knowsFirstPage).toBe(false);
    file.set(1, 40n);
    all.trust(4, hashPage, never);
    add(all, [1, 5, 50n], [1, 9, 90n]);
    for (const hash of [40n, 50n, 90n]) {
      file.set(1, hash);
      expect(all.findForeign(7, hashPage)).toBeUndefined();
    }
    file.set(1, 41n);
    expect(all.findForeign(7, hashPage)).toBe(1);
    file.set(1, 50n);
    all.trust(7, hashPage, never);
    file.set(1, 40n);
    expect(all.findForeign(7, hashPage)).toBe(1);
  });
  test('know nothing of page 1 before all frames are backfilled that they have not seen', () => {
    const all = witnesses(10);
    add(all, [1, 12, 120n]);
    file.set(1, 100n);
    all.trust(9, hashPage, never);
    expect(all.knowsFirstPage).toBe(false);
    all.trust(10, hashPage, never);
    file.set(1, 120n); // a frame that was seen before page 1 was trusted
    expect(all.findForeign(11, hashPage)).toBeUndefined();
  });
  test('give up knowing page 1 where it is written again and again before a checkpoint', () => {
    const all = witnesses();
    file.set(1, 1n);
    all.trust(0, hashPage, never);
    for (let frame = 1; frame <= 5_000; frame++) add(all, [1, frame, 1n]);
    expect(all.knowsFirstPage).toBe(false);
  });
  test('find a page that nobody writes, once it was read while nothing was left to backfill', () => {
    const all = witnesses();
    add(all, [2, 5, 50n]);
    file.set(1, 10n).set(2, 50n).set(7, 70n);
    all.trust(4, hashPage, () => 7); // frame 5 may be one of page 7, as far as it is known now
    file.set(7, 71n);
    expect(all.findForeign(5, hashPage)).toBeUndefined();
    all.trust(5, hashPage, never);
    expect(all.findForeign(5, hashPage)).toBeUndefined();
    file.set(7, 72n);
    expect(all.findForeign(5, hashPage)).toBe(7);
    add(all, [7, 6, 60n]);
    expect(all.findForeign(5, hashPage)).toBeUndefined();
  });
  test('forget pages that were cut off', () => {
    const all = witnesses();
    add(all, [2, 5, 50n], [8, 6, 60n]);
    all.shrinkTo(7);
    file.set(2, 50n);
    expect(all.findForeign(9, hashPage)).toBeUndefined();
  });
  test('are few, and some of them are of long ago', () => {
    const all = witnesses();
    for (let frame = 1; frame <= 100_000; frame++) add(all, [frame + 1, frame, 1n]);
    const asked: number[] = [];
    all.findForeign(100_000, (pgno) => {
      asked.push(pgno);
      return 1n;
    });
    expect(asked.length).toBeLessThanOrEqual(48);
    for (const age of [200, 2_000, 20_000]) {
      expect(asked.filter((pgno) => pgno > 100_000 - age).length).toBeGreaterThanOrEqual(8);
      expect(asked.some((pgno) => pgno < 100_000 - age)).toBe(true);
    }
  });
});
