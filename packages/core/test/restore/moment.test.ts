import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../src/error.ts';
import { toTXID, type TXID } from '../../src/ltx/txid.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import type { Moment } from '../../src/restore/plan/moment.ts';
import { planMoment, planRestore } from '../../src/restore/plan/plan.ts';
import { EPOCH_MS, file, timeOf } from './files.ts';
import { runTimeSearch } from './time-search.ts';

interface Answer {
  readonly txid: bigint;
  readonly doubt: string | undefined;
  readonly asked: number;
  readonly moment: Moment;
}

function ask(files: readonly LTXFileInfo[], at: Date): Answer {
  let asked = 0;
  const moment = runTimeSearch(planMoment(files, at), (each) => {
    asked += 1;
    return each.createdAt as Date;
  });
  return { txid: moment.txid, doubt: moment.doubt, asked, moment };
}

/** As in an S3 bucket, whose listing has only upload times. */
function askWithoutTimes(files: readonly LTXFileInfo[], at: Date): Answer {
  const times = new Map(files.map((each) => [each.maxTXID, each.createdAt as Date]));
  let asked = 0;
  const listed = files.map((each) => ({ ...each, createdAt: undefined }));
  const moment = runTimeSearch(planMoment(listed, at), (each) => {
    asked += 1;
    return times.get(each.maxTXID) as Date;
  });
  return { txid: moment.txid, doubt: moment.doubt, asked, moment };
}

function refused(files: readonly LTXFileInfo[], at: Date): ReplicationError {
  try {
    ask(files, at);
  } catch (error) {
    if (error instanceof ReplicationError) return error;
    throw error;
  }
  throw new Error('there was an answer');
}

const later = (date: Date, ms: number): Date => new Date(date.getTime() + ms);
const increments = (from: number, to: number): LTXFileInfo[] =>
  Array.from({ length: to - from + 1 }, (_, i) => file(0, from + i, from + i));

describe('the state as of a time', () => {
  const files = [file(9, 1, 1), ...increments(1, 40)];

  test('includes commits at exactly that time, and nothing later', () => {
    expect(ask(files, timeOf(17)).txid).toBe(17n);
    expect(ask(files, later(timeOf(17), -1)).txid).toBe(16n);
    expect(ask(files, later(timeOf(17), 9_999)).txid).toBe(17n);
  });

  test('at the first known time is the first state, and after the last one the newest', () => {
    expect(ask(files, timeOf(1)).txid).toBe(1n);
    expect(ask(files, timeOf(40)).txid).toBe(40n);
    expect(ask(files, later(timeOf(40), 1)).txid).toBe(40n);
  });

  test('before the first one is an error that names it', () => {
    const error = refused(files, later(timeOf(1), -1));
    expect(error.code).toBe('RESTORE_OUT_OF_RANGE');
    expect(error.message).toContain(`${timeOf(1).toISOString()} (TXID 0000000000000001)`);
  });

  test('has a time, and a next state with its time', () => {
    expect(ask(files, later(timeOf(17), 1)).moment).toMatchObject({
      requested: later(timeOf(17), 1),
      at: timeOf(17),
      next: { txid: 18n, at: timeOf(18) },
    });
    expect(ask(files, timeOf(40)).moment).toMatchObject({ at: timeOf(40), next: undefined });
  });

  test('has as its next state one that can be restored', () => {
    const merged = [file(9, 1, 1), file(1, 2, 9), file(0, 5, 5), file(9, 1, 20)];
    expect(ask(merged, timeOf(1)).moment.next).toEqual({ txid: 9n, at: timeOf(9) });
    expect(ask(merged, timeOf(9)).moment.next).toEqual({ txid: 20n, at: timeOf(20) });
    expect(ask([file(9, 1, 3), ...increments(5, 9)], timeOf(3)).moment.next).toBeUndefined();
  });

  test('is found among seven thousand files with 16 headers, or 32 in a copied bucket', () => {
    const uploaded = [file(9, 1, 1), ...increments(1, 7000)].map((each) => ({
      ...each,
      modifiedAt: new Date(Math.floor((each.createdAt as Date).getTime() / 1000) * 1000 + 900),
    }));
    const copied = uploaded.map((each) => ({ ...each, modifiedAt: later(timeOf(9000), 0) }));
    for (const txid of [1, 2, 3, 500, 4321, 6543, 6999, 7000]) {
      const [near, far] = [uploaded, copied].map((files) =>
        askWithoutTimes(files, later(timeOf(txid), 1)),
      );
      expect([near?.txid, far?.txid]).toEqual([BigInt(txid), BigInt(txid)]);
      expect(near?.asked).toBeLessThanOrEqual(16);
      expect(far?.asked).toBeLessThanOrEqual(32);
    }
  });

  test('in a merged file has the time of its last transaction', () => {
    const merged = [file(9, 1, 1), file(1, 2, 9), file(1, 10, 20)];
    expect(ask(merged, timeOf(15)).txid).toBe(9n);
  });

  test('ignores the time of a snapshot if another file has the time', () => {
    const late = file(9, 1, 5, { createdAt: timeOf(9) });
    expect(ask([late, file(9, 1, 1), ...increments(1, 12)], timeOf(6)).txid).toBe(6n);
  });

  test('between files includes a snapshot from the time it was taken', () => {
    const snapshot = file(9, 1, 5, { createdAt: timeOf(6) });
    const some = [file(9, 1, 1), snapshot, file(1, 2, 3), file(1, 4, 8)];
    expect(ask(some, timeOf(5)).txid).toBe(3n);
    expect(ask(some, timeOf(6)).txid).toBe(5n);
    expect(ask(some, timeOf(8)).txid).toBe(8n);
  });

  test('is not hidden by a snapshot between files that was taken after the next one', () => {
    const snapshot = file(9, 1, 5, { createdAt: timeOf(9) });
    const some = [file(9, 1, 1), snapshot, file(1, 2, 3), file(1, 4, 8), file(1, 9, 20)];
    expect(ask(some, timeOf(8)).txid).toBe(8n);
  });

  test('before the first snapshot is an error even if increments are older', () => {
    const error = refused([...increments(2, 9), file(9, 1, 6)], timeOf(4));
    expect([error.code, error.message]).toEqual([
      'RESTORE_OUT_OF_RANGE',
      expect.stringContaining(timeOf(6).toISOString()),
    ]);
  });

  test('after the last state is an error about the gap if later files are listed, even if they are too short', () => {
    const some = [file(9, 1, 3), file(0, 3, 3), ...increments(5, 9)];
    const short = [file(9, 1, 3), file(0, 4, 4, { sizeBytes: 50 })];
    for (const files of [some, short]) {
      for (const at of [later(timeOf(3), 1), timeOf(7), timeOf(20)]) {
        const { txid } = ask(files, at);
        expect(() => planRestore(files, { kind: 'txid', txid: txid as TXID })).toThrow(
          /TXID 0000000000000004 is missing/,
        );
      }
      expect(ask(files, timeOf(3)).txid).toBe(3n);
    }
  });

  test('in a gap before a snapshot is an error that names the nearest states', () => {
    const some = [file(9, 1, 3), ...increments(5, 8), file(9, 1, 9), ...increments(10, 12)];
    for (const at of [later(timeOf(3), 1), timeOf(6), later(timeOf(9), -1)]) {
      const error = refused(some, at);
      expect([error.code, error.message]).toEqual([
        'RESTORE_OUT_OF_RANGE',
        expect.stringContaining(
          `TXID 0000000000000004 to 0000000000000008 cannot be restored. The nearest moments are ` +
            `${timeOf(3).toISOString()} (TXID 0000000000000003) before it, and ` +
            `${timeOf(9).toISOString()} (TXID 0000000000000009) after it`,
        ),
      ]);
    }
    expect(ask(some, timeOf(3)).txid).toBe(3n);
    expect(ask(some, timeOf(9)).txid).toBe(9n);
  });

  test('inside a merged file is the state before that file', () => {
    // Increments 4 to 6 were merged; 7 to 9 remain but begin inside the merged file.
    const some = [file(9, 1, 3), file(0, 3, 3), file(1, 4, 9), ...increments(7, 9)];
    expect(ask(some, timeOf(8)).txid).toBe(3n);
    expect(ask(some, timeOf(9)).txid).toBe(9n);
  });
});

describe('if the clock of the writer was wrong for a while', () => {
  const HOUR_MS = 3_600_000;
  const YEAR_MS = 365 * 24 * HOUR_MS;

  /** A history of one file a second, with the clock ahead by so much, uploaded one second later. */
  function historyOf(aheadMs: readonly number[]): LTXFileInfo[] {
    return aheadMs.map((ahead, index) =>
      file(index === 0 ? 9 : 0, 1, index + 1, {
        minTXID: toTXID(index === 0 ? 1 : index + 1),
        createdAt: new Date(EPOCH_MS + index * 1000 + ahead),
        modifiedAt: new Date(EPOCH_MS + index * 1000 + 1000),
      }),
    );
  }
  /** The second in which `txid` was committed. */
  const second = (txid: number): Date => new Date(EPOCH_MS + (txid - 1) * 1000);
  const right = (count: number): number[] => Array.from({ length: count }, () => 0);
  const wrong = (count: number, by: number): number[] => Array.from({ length: count }, () => by);
  /** Without what a server tells: a copied bucket, of which all uploads are later. */
  const copied = (files: readonly LTXFileInfo[]): LTXFileInfo[] =>
    files.map((each) => ({ ...each, modifiedAt: new Date(EPOCH_MS + 9 * YEAR_MS) }));

  test('a year ahead for a moment hides no later commit', () => {
    const files = historyOf([...right(4), ...wrong(1, YEAR_MS), ...right(15)]);
    for (const some of [files, copied(files)]) {
      const { txid, doubt } = ask(some, second(12));
      expect(txid).toBe(12n);
      expect(doubt).toMatch(
        /^file times contradict each other: TXID 0000000000000005 is dated 2024-/,
      );
    }
  });

  test('a year ahead from the beginning, then corrected: both parts are found', () => {
    const files = historyOf([...wrong(6, YEAR_MS), ...right(3)]);
    expect(ask(files, second(8)).txid).toBe(8n);
    expect(ask(files, second(5))).toMatchObject({
      txid: 4n, // by the time of its upload: TXID 5 was uploaded later
      doubt: expect.stringContaining('contradict each other'),
    });
  });

  test('years behind after a boot hides no earlier commit and includes no later one', () => {
    const files = historyOf([...right(10), ...wrong(3, -20 * YEAR_MS), ...right(10)]);
    for (const some of [files, copied(files)]) {
      expect(ask(some, second(6)).txid).toBe(6n);
      expect(ask(some, second(20)).txid).toBe(20n);
      expect(ask(some, second(6)).doubt).toMatch(/TXID 000000000000000[bcd] is dated 2003-/);
    }
  });

  test('an hour ahead, then set back: the time after the step counts', () => {
    const files = historyOf([...wrong(40, HOUR_MS), ...right(40)]);
    expect(ask(files, second(60)).txid).toBe(60n);
    expect(ask(files, second(60)).doubt).toContain('contradict each other');
  });

  test('a file without a trusted time is left out if the requested time may be before it', () => {
    const files = copied(historyOf([...right(4), ...wrong(1, YEAR_MS), ...right(5)]));
    expect(ask(files, new Date(second(5).getTime() + 500)).txid).toBe(4n);
    expect(ask(files, second(6)).txid).toBe(6n);
  });

  test('a server clock that is years behind makes no time untrusted', () => {
    const files = historyOf(right(30)).map((each) => ({ ...each, modifiedAt: new Date(0) }));
    expect(ask(files, second(17))).toMatchObject({ txid: 17n, doubt: undefined });
  });

  test('as few times as possible are untrusted; if equal, the later ones are trusted', () => {
    const seconds = [0, 1, 2, 3, 9, 8, 7, 6, 10, 11];
    const some = copied(historyOf(seconds.map((time, index) => (time - index) * 1000)));
    expect(ask(some, new Date(EPOCH_MS + 5000)).txid).toBe(4n);
    expect(ask(some, new Date(EPOCH_MS + 8000)).txid).toBe(8n);
    expect(ask(some, new Date(EPOCH_MS + 10_000)).txid).toBe(9n);
  });

  test('six thousand files need hardly more headers', () => {
    const files = historyOf([...right(3000), ...wrong(500, YEAR_MS), ...right(2500)]);
    const { txid, asked, doubt } = ask(files, second(4321));
    expect(txid).toBe(4321n);
    expect(doubt).toContain('contradict each other');
    expect(asked).toBeLessThanOrEqual(80);
  });
});
