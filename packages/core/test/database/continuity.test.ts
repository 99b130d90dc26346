/** Decisions about continuity, from evidence alone. */

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
  findReadFault,
  NO_LOG,
  proveContinuity,
  type ReadEvidence,
  type StartEvidence,
} from '../../src/database/continuity/proof.ts';
import { PageSample } from '../../src/database/continuity/page-sample.ts';
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

/** Each change that shows that a file is not the same. */
const OTHER_FILES: Readonly<Record<string, Partial<FileEvidence>>> = {
  'another inode': { inode: 9n },
  'the same inode, born later': { bornNs: 9n },
  'another size': { sizeBytes: 4096n },
  'another modification time': { modifiedNs: 5_000_000_002n },
  'a modification time that was set back, which updates the change time': {
    changedNs: 6_000_000_000n,
  },
  'another page 1': { firstPage: 1n },
  'another device and no birth time': { device: 9n, bornNs: undefined },
};

describe('continuity at a start', () => {
  const after30 = { header: HEADER, frame: 30, checksum: FRAME.checksum };
  test('is proved if the last replicated frame is unchanged in the log', () => {
    expect(proveContinuity(EVIDENCE)).toMatchObject({ proved: true, from: after30 });
    expect(proveContinuity({ ...EVIDENCE, log: 99 })).toMatchObject({ from: after30 });
    expect(proveContinuity(AT_REST)).toMatchObject({ proved: true, from: after30 });
  });
  test('is proved after a remount, which changes only the device number', () => {
    const file = { ...FILE, device: 9n };
    expect(proveContinuity({ ...EVIDENCE, file }).proved).toBe(true);
  });
  test('is proved at rest without a log: then nothing is new', () => {
    const gone = { ...AT_REST, header: undefined, log: 0, frame: undefined };
    expect(proveContinuity(gone)).toMatchObject({ proved: true, from: NO_LOG });
    expect(proveContinuity({ ...AT_REST, log: 0 })).toMatchObject({ proved: true, from: NO_LOG });
  });
  test('is proved at rest with a restarted log: then all of it is new', () => {
    const restarted = { ...AT_REST, header: ANOTHER_LOG, log: 5 };
    const from = { header: ANOTHER_LOG, frame: 0, checksum: ANOTHER_LOG.checksum };
    expect(proveContinuity(restarted)).toMatchObject({ proved: true, from });
  });

  const unproved: [string, Partial<StartEvidence>][] = [
    ['without a position', { position: undefined }],
    ['with a position of an older file', { newestStaged: toTXID(8) }],
    ['with a position without file evidence', { position: { ...POSITION, file: undefined } }],
    ['while the database file is being written to', { file: undefined }],
    ['after a change of page size', { pageSize: 8192 }],
    ['with a position in an empty log', { position: { ...POSITION, frame: 0 } }],
    ['without a WAL', { header: undefined }],
    ['after a restart of the log', { header: ANOTHER_LOG }],
    ['with a shorter log', { log: 29 }],
    ['without the frame', { frame: undefined }],
    ['with a frame of another log', { frame: { ...FRAME, salt2: 9 } }],
    ['with an overwritten frame', { frame: { ...FRAME, checksum: { s0: 3, s1: 5 } } }],
    ...Object.entries(OTHER_FILES).map(([what, change]): [string, Partial<StartEvidence>] => [
      `with a file with ${what}`,
      { file: { ...FILE, ...change } },
    ]),
  ];
  for (const [name, change] of unproved) {
    test(`is not proved ${name}`, () => {
      expect(proveContinuity({ ...EVIDENCE, ...change }).proved).toBe(false);
    });
  }
  for (const [what, change] of Object.entries(OTHER_FILES)) {
    test(`is not proved at rest with a file with ${what} and any log`, () => {
      const file = { ...FILE, ...change };
      const gone = { ...AT_REST, file, header: undefined, log: 0, frame: undefined };
      expect(proveContinuity(gone).proved).toBe(false);
      expect(proveContinuity({ ...AT_REST, file, header: ANOTHER_LOG }).proved).toBe(false);
      expect(proveContinuity({ ...AT_REST, file }).proved).toBe(false);
    });
  }
  test('is not proved at rest if the same log is shorter', () => {
    expect(proveContinuity({ ...AT_REST, log: 29 }).proved).toBe(false);
    expect(proveContinuity({ ...AT_REST, header: undefined, log: 5 }).proved).toBe(false);
  });
});

describe('the log read at startup', () => {
  const read: ReadEvidence = {
    log: 50,
    read: 50,
    headerBefore: HEADER,
    headerAfter: HEADER,
    isSpilled: false,
    logAfter: 50,
    checkpointedAfter: 50,
  };
  const spilled = { ...read, isSpilled: true };
  test('counts if the log is the same afterwards', () => {
    expect(findReadFault(read)).toBeUndefined();
  });
  test('does not count if the log restarted or ended early', () => {
    expect(findReadFault({ ...read, headerAfter: ANOTHER_LOG })).toBeDefined();
    expect(findReadFault({ ...read, headerAfter: undefined })).toBeDefined();
    expect(findReadFault({ ...read, read: 49 })).toBeDefined();
  });
  test('counts by frame number only while frames keep the log from restarting', () => {
    expect(findReadFault({ ...spilled, checkpointedAfter: 49 })).toBeUndefined();
    expect(findReadFault(spilled)).toBeDefined();
    expect(findReadFault({ ...spilled, logAfter: -1, checkpointedAfter: -1 })).toBeDefined();
  });
});

describe('the position file', () => {
  test.for([
    POSITION,
    { ...POSITION, atRest: true },
    { ...POSITION, file: undefined },
    { ...POSITION, file: { ...FILE, bornNs: undefined, changedNs: 2n ** 63n - 1n } },
  ])('round-trips', (position) => {
    expect(parsePosition(formatPosition(position))).toEqual(position);
  });
  test('is invalid if it is truncated anywhere', () => {
    const text = formatPosition(POSITION).trimEnd();
    for (let length = 0; length < text.length; length++) {
      expect(parsePosition(text.slice(0, length))).toBeUndefined();
    }
  });
  test('is invalid if it has an earlier version', () => {
    const text = formatPosition(POSITION).replace('"version": 2', '"version": 1');
    expect(parsePosition(text)).toBeUndefined();
  });
});

describe('evidence of a file', () => {
  const stats = {
    dev: 1n,
    ino: 2n,
    size: 3n,
    birthtimeNs: 4n,
    mtimeNs: 5n,
    ctimeNs: 6n,
  } as unknown as Parameters<typeof toFileStamp>[0];
  test('has no birth time if the file system does not store one', () => {
    expect(toFileStamp(stats).bornNs).toBe(4n);
    expect(toFileStamp({ ...stats, birthtimeNs: 0n }).bornNs).toBeUndefined();
    expect(toFileStamp({ ...stats, birthtimeNs: 6n }).bornNs).toBeUndefined();
  });
  test('shows chmod as a change, but not as a write', () => {
    const changed = { ...FILE, changedNs: 9_000_000_000n };
    expect(isWritten(FILE, changed)).toBe(false);
    expect(isUntouched(FILE, changed)).toBe(false);
  });
  test('is settled once any write is sure to get another time', () => {
    const atMs = 1_700_000_000_123;
    const written = BigInt(atMs) * 1_000_000n + 456_789n;
    const stamp = { ...FILE, modifiedNs: written, changedNs: written };
    expect(isSettled(stamp, atMs)).toBe(false);
    expect(isSettled(stamp, atMs + 10)).toBe(false);
    expect(isSettled(stamp, atMs + 100)).toBe(true);
    expect(isSettled(stamp, atMs - 3_600_000)).toBe(true); // the clock was set back: no write gets that time
  });
  test('is settled later if times are whole seconds', () => {
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
  test('is found if the followed log is beside a file with another page 1', () => {
    expect(isLogOfFormerFile(evidence)).toBe(true);
  });
  test.for([
    ['with a restarted log', { header: ANOTHER_LOG }],
    ['with a shortened log', { frame: undefined }],
    ['beside the database that it belongs to', { file: FILE }],
    ['beside a copy of that database', { file: { ...FILE, inode: 9n, changedNs: 8n } }],
    ['if the log was written to after the file', { logModifiedNs: 9n }],
  ] as const)('is not found %s', ([, change]) => {
    expect(isLogOfFormerFile({ ...evidence, ...change })).toBe(false);
  });
});

describe('the page sample', () => {
  const file = new Map<number, bigint>();
  const hashPage = (pgno: number): bigint | undefined => file.get(pgno);
  const never = (): number => 1;
  const add = (to: PageSample, ...frames: [pgno: number, frame: number, hash: bigint][]): void => {
    for (const [pgno, frame, hash] of frames) to.add(pgno, frame, () => hash);
  };
  const newSample = (unknownTo = 0): PageSample => {
    file.clear();
    return new PageSample(unknownTo);
  };

  test('accepts a page that no checkpoint has written yet', () => {
    const sample = newSample();
    add(sample, [2, 5, 50n]);
    expect(sample.findForeign(4, hashPage)).toBeUndefined();
  });
  test('finds a page that differs from its newest frame', () => {
    const sample = newSample();
    add(sample, [2, 5, 50n], [3, 6, 60n]);
    file.set(2, 50n).set(3, 61n);
    expect(sample.findForeign(6, hashPage)).toBe(3);
    file.set(3, 60n);
    expect(sample.findForeign(6, hashPage)).toBeUndefined();
    file.delete(3);
    expect(sample.findForeign(6, hashPage)).toBe(3);
  });
  test('accepts any version of a page with a frame that is not backfilled', () => {
    const sample = newSample();
    add(sample, [2, 5, 50n], [2, 9, 90n]);
    file.set(2, 20n);
    expect(sample.findForeign(7, hashPage)).toBeUndefined();
    expect(sample.findForeign(9, hashPage)).toBe(2);
  });
  test('accepts the last verified page 1, and later frames of it', () => {
    const sample = newSample();
    expect(sample.hasFirstPage).toBe(false);
    file.set(1, 40n);
    sample.setVerified(4, hashPage, never);
    add(sample, [1, 5, 50n], [1, 9, 90n]);
    for (const hash of [40n, 50n, 90n]) {
      file.set(1, hash);
      expect(sample.findForeign(7, hashPage)).toBeUndefined();
    }
    file.set(1, 41n);
    expect(sample.findForeign(7, hashPage)).toBe(1);
    file.set(1, 50n);
    sample.setVerified(7, hashPage, never);
    file.set(1, 40n);
    expect(sample.findForeign(7, hashPage)).toBe(1);
  });
  test('does not check page 1 before all unknown frames are backfilled', () => {
    const sample = newSample(10);
    add(sample, [1, 12, 120n]);
    file.set(1, 100n);
    sample.setVerified(9, hashPage, never);
    expect(sample.hasFirstPage).toBe(false);
    sample.setVerified(10, hashPage, never);
    file.set(1, 120n); // a frame added before page 1 was verified
    expect(sample.findForeign(11, hashPage)).toBeUndefined();
  });
  test('stops checking page 1 if it is written too often before a checkpoint', () => {
    const sample = newSample();
    file.set(1, 1n);
    sample.setVerified(0, hashPage, never);
    for (let frame = 1; frame <= 5_000; frame++) add(sample, [1, frame, 1n]);
    expect(sample.hasFirstPage).toBe(false);
  });
  test('finds a changed page that is never written, once it was read with everything backfilled', () => {
    const sample = newSample();
    add(sample, [2, 5, 50n]);
    file.set(1, 10n).set(2, 50n).set(7, 70n);
    sample.setVerified(4, hashPage, () => 7); // frame 5 could be a frame of page 7
    file.set(7, 71n);
    expect(sample.findForeign(5, hashPage)).toBeUndefined();
    sample.setVerified(5, hashPage, never);
    expect(sample.findForeign(5, hashPage)).toBeUndefined();
    file.set(7, 72n);
    expect(sample.findForeign(5, hashPage)).toBe(7);
    add(sample, [7, 6, 60n]);
    expect(sample.findForeign(5, hashPage)).toBeUndefined();
  });
  test('drops truncated pages', () => {
    const sample = newSample();
    add(sample, [2, 5, 50n], [8, 6, 60n]);
    sample.shrinkTo(7);
    file.set(2, 50n);
    expect(sample.findForeign(9, hashPage)).toBeUndefined();
  });
  test('is small, and includes pages written long ago', () => {
    const sample = newSample();
    for (let frame = 1; frame <= 100_000; frame++) add(sample, [frame + 1, frame, 1n]);
    const checked: number[] = [];
    sample.findForeign(100_000, (pgno) => {
      checked.push(pgno);
      return 1n;
    });
    expect(checked.length).toBeLessThanOrEqual(48);
    for (const age of [200, 2_000, 20_000]) {
      expect(checked.filter((pgno) => pgno > 100_000 - age).length).toBeGreaterThanOrEqual(8);
      expect(checked.some((pgno) => pgno < 100_000 - age)).toBe(true);
    }
  });
});
