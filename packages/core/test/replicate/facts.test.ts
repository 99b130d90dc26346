import { describe, expect, test } from 'vitest';
import type { Absence } from '../../src/database/events.ts';
import { Gauges } from '../../src/database/gauges.ts';
import type { FoundFile } from '../../src/database/staging/staged-check.ts';
import type { StagedFile } from '../../src/database/staging/staging.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { Backlog, type StagedIncrement, toFoundIncrement } from '../../src/replicate/backlog.ts';
import {
  Confirmations,
  gatherFacts,
  type FactsInput,
} from '../../src/replicate/destination/health.ts';
import type { DestinationFacts } from '../../src/replicate/status/verdict.ts';
import { DatabaseHealth } from '../../src/replicate/status/database-health.ts';

const START = 1_000;
const NOW = 100_000;

/** A file with the commits between two times. */
function staged(txid: bigint, since: number, asOf: number): StagedIncrement {
  const path = `/staging/${txid}`;
  const content = 'increment';
  const rest = { sizeBytes: 1, lineage: 1n, pageSize: 4096, timestampMs: 0 };
  return { txid, path, content, since, asOf, ...rest };
}

class Scene {
  readonly gauges = Gauges.create(START);
  readonly backlog = new Backlog();
  readonly confirmations = new Confirmations(START);
  head = 0n;
  absence: FactsInput['absence'];

  get source(): FactsInput['source'] {
    return { head: this.head, backlog: this.backlog, gauges: this.gauges.read() };
  }

  stage(txid: bigint, since: number, asOf: number): void {
    this.backlog.add(staged(txid, since, asOf));
    this.head = txid;
    this.gauges.set('stagedSince', since);
    this.gauges.set('stagedTXID', Number(txid));
    this.gauges.set('stagedAsOf', asOf);
  }

  confirm(replicatedTXID: bigint | undefined): void {
    this.confirmations.update({ name: 's3', replicatedTXID }, this.backlog);
  }

  confirmedAt(replicatedTXID: bigint | undefined): number {
    return NOW - (this.facts(replicatedTXID)?.confirmedAgeMs ?? Number.NaN);
  }

  facts(replicatedTXID: bigint | undefined): DestinationFacts | undefined {
    const facts = gatherFacts({
      now: NOW,
      source: this.source,
      confirmations: this.confirmations,
      absence: this.absence,
      failure: undefined,
      freeingSince: undefined,
      stateFileDueSince: NOW,
      freshMs: 3_000,
      destinations: [
        {
          name: 's3',
          replicatedTXID,
          activity: {
            stalledMs: 0,
            failingMs: 0,
            snapshotStalledMs: 0,
            snapshotFailingMs: 0,
            error: undefined,
          },
        },
      ],
    });
    return facts.destinations[0];
  }
}

test('what was committed before the start is unknown until a destination has everything', () => {
  const scene = new Scene();
  const isConfirmed = (txid?: bigint): unknown => scene.facts(txid)?.isConfirmed;
  expect(isConfirmed()).toBe(false);
  scene.stage(1n, START, START); // staged by the process before this one
  expect(isConfirmed(1n)).toBe(false); // the database was not read yet
  scene.stage(2n, START, 6_000); // what has changed since
  expect(isConfirmed(1n)).toBe(false);
  expect(isConfirmed(2n)).toBe(true);
  scene.confirm(2n);
  scene.stage(3n, 8_000, 9_000);
  expect(isConfirmed(2n)).toBe(true);
});

test('a database without changes since the start is confirmed once it was read', () => {
  const scene = new Scene();
  scene.stage(1n, START, START);
  scene.gauges.set('stagedAsOf', START + 1);
  expect(scene.facts(1n)?.isConfirmed).toBe(true);
  scene.gauges.set('stagedAsOf', START);
  scene.absence = { kind: 'no file', since: START };
  expect(scene.facts(1n)?.isConfirmed).toBe(true);
});

test('an unknown destination counts as behind since the start', () => {
  const scene = new Scene();
  expect(scene.confirmedAt(undefined)).toBe(START);
  scene.stage(1n, 5_000, 6_000);
  expect(scene.confirmedAt(undefined)).toBe(START);
});

test('a destination that has everything is as current as staging, regardless of the last commit', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.gauges.set('stagedAsOf', 99_000); // a WAL reading that found nothing new
  expect(scene.confirmedAt(1n)).toBe(99_000);
});

test('a destination that lacks the next file has everything before the first commit in it', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.stage(2n, 50_000, 50_010);
  scene.stage(3n, 51_000, 51_010);
  expect(scene.confirmedAt(1n)).toBe(50_000);
});

test('lag does not shrink when the missing files are freed', () => {
  const scene = new Scene();
  for (const txid of [1n, 2n, 3n, 4n])
    scene.stage(txid, Number(txid) * 10_000, Number(txid) * 10_000);
  scene.confirm(1n);
  scene.backlog.release(3n);
  expect(scene.confirmedAt(1n)).toBe(10_000);
});

test('an image that is announced but not staged is missing everywhere', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.confirm(1n);
  scene.gauges.set('stagedAsOf', 8_000); // nothing new until then
  scene.head = 2n;
  expect(scene.confirmedAt(1n)).toBe(8_000);
});

test('a file that is staged, but not known yet, is missing everywhere', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.confirm(1n);
  scene.gauges.set('stagedAsOf', 89_000); // nothing new until then
  scene.gauges.set('stagedSince', 89_000);
  scene.gauges.set('stagedTXID', 2);
  scene.gauges.set('stagedAsOf', 90_000);
  scene.head = 2n;
  expect(scene.confirmedAt(1n)).toBe(89_000);
});

test('a file that an earlier run has staged is missing until it is sent', () => {
  const scene = new Scene();
  for (const txid of [1n, 2n]) scene.backlog.add(staged(txid, 5_000, 6_000));
  scene.head = 2n;
  scene.gauges.set('stagedAsOf', 90_000); // nothing new until then
  expect(scene.confirmedAt(1n)).toBe(5_000);
  expect(scene.confirmedAt(2n)).toBe(90_000);
});

test('lag of a database that was missing counts from its appearance', () => {
  const scene = new Scene();
  scene.confirmations.confirmUntil(
    [{ name: 's3', replicatedTXID: undefined }],
    scene.source,
    90_000,
  );
  expect(scene.confirmedAt(undefined)).toBe(90_000);
  scene.stage(1n, 91_000, 92_000);
  expect(scene.confirmedAt(undefined)).toBe(90_000);
  scene.confirmations.confirmUntil(
    [{ name: 's3', replicatedTXID: undefined }],
    scene.source,
    95_000,
  );
  expect(scene.confirmedAt(undefined)).toBe(90_000); // it lacked commits before
});

test.each(['no file', 'empty'] satisfies Absence[])(
  'a destination lacks nothing of a database that never existed (%s)',
  (kind) => {
    const scene = new Scene();
    scene.absence = { kind, since: 2_000 };
    expect(scene.confirmedAt(undefined)).toBe(NOW);
    scene.stage(1n, 5_000, 6_000);
    expect(scene.confirmedAt(1n)).toBe(NOW);
    expect(scene.confirmedAt(undefined)).toBe(START);
  },
);

const activity = {
  ...{ stalledMs: 0, failingMs: 0, snapshotStalledMs: 0, snapshotFailingMs: 0 },
  error: undefined,
};

test('a database that has appeared is looked at since it was last missing, however late that is known', () => {
  let now = 1_000;
  const clock = { now: () => now, monotonic: () => now };
  const health = new DatabaseHealth({
    ...{ maxLagMs: 60_000, monitorIntervalMs: 1_000, clock, backlog: new Backlog() },
    head: () => 0n,
    uploaders: () => [{ name: 's3', replicatedTXID: undefined, activity }],
    freeingSince: () => undefined,
    stateFileWrittenAt: () => now,
    failure: () => undefined,
  });
  health.absent('no file');
  health.gauges.raise('absentAt', 5_000);
  now = 9_000; // the message of the engine was on its way for a long time
  health.present();
  expect(health.facts()).toMatchObject({
    lookAgeMs: 4_000,
    stagedAgeMs: 4_000,
    destinations: [{ confirmedAgeMs: 4_000 }],
  });
});

test('what a destination had while the database was idle counts, although an image leaves a gap', () => {
  let now = 1_000;
  const clock = { now: () => now, monotonic: () => now };
  const backlog = new Backlog();
  backlog.add(staged(2n, 1_000, 1_000));
  let head = 2n;
  const health = new DatabaseHealth({
    ...{ maxLagMs: 60_000, monitorIntervalMs: 1_000, clock, backlog, head: () => head },
    uploaders: () => [
      { name: 's3', replicatedTXID: 2n, activity },
      { name: 'behind', replicatedTXID: 1n, activity },
    ],
    freeingSince: () => undefined,
    stateFileWrittenAt: () => now,
    failure: () => undefined,
  });
  now = 9_000;
  health.gauges.set('stagedTXID', 2);
  health.gauges.set('stagedAsOf', 8_000); // its files were compared last
  health.confirmStaged();
  backlog.add(staged(4n, 8_500, 8_900));
  head = 4n;
  const [s3, behind] = health.facts().destinations;
  expect(s3?.confirmedAgeMs).toBe(1_000);
  expect(behind?.confirmedAgeMs).toBeGreaterThan(1_000);
});

describe('the age of a staged file that was found when the database was opened', () => {
  const file: StagedFile = {
    level: 0,
    minTXID: toTXID(2n),
    maxTXID: toTXID(2n),
    sizeBytes: 1,
    path: '/staging/2',
  };
  const found: FoundFile = {
    ...{ file, content: 'increment', lineage: 1n, pageSize: 4096, timestampMs: 0 },
    since: 9_000,
  };

  test('is at least that of this process, because the wall clock may have been set back', () => {
    expect(toFoundIncrement(found, 10_000)).toMatchObject({ since: 9_000, asOf: 9_000 });
    expect(toFoundIncrement(found, 1_000)).toMatchObject({ since: 1_000, asOf: 1_000 });
  });

  test('is known if this process has staged it', () => {
    const known = staged(2n, 5_000, 6_000);
    const times = { since: 5_000, asOf: 6_000 };
    expect(toFoundIncrement(found, 1_000, { ...known, path: file.path })).toMatchObject(times);
    const other = { ...known, timestampMs: 1 }; // the TXID was used again
    expect(toFoundIncrement(found, 1_000, other)).toMatchObject({ since: 1_000, asOf: 1_000 });
  });
});
