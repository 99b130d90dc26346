import { expect, test } from 'vitest';
import type { Absence } from '../../src/database/events.ts';
import { Gauges } from '../../src/database/gauges.ts';
import { Backlog, type StagedIncrement } from '../../src/replicate/backlog.ts';
import {
  Confirmations,
  gatherFacts,
  type FactsInput,
} from '../../src/replicate/destination/health.ts';

const START = 1_000;
const NOW = 100_000;

/** A file with the commits between two moments. */
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

  get supply(): FactsInput['supply'] {
    return { head: this.head, backlog: this.backlog, gauges: this.gauges.read() };
  }

  stage(txid: bigint, since: number, asOf: number): void {
    this.backlog.add(staged(txid, since, asOf));
    this.head = txid;
    this.gauges.set('stagedAsOf', asOf);
  }

  confirm(replicatedTXID: bigint | undefined): void {
    this.confirmations.note({ name: 's3', replicatedTXID }, this.backlog);
  }

  confirmedAt(replicatedTXID: bigint | undefined): number {
    const facts = gatherFacts({
      now: NOW,
      supply: this.supply,
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
          signs: {
            stalledMs: 0,
            failingMs: 0,
            snapshotStalledMs: 0,
            snapshotFailingMs: 0,
            error: undefined,
          },
        },
      ],
    });
    return NOW - (facts.destinations[0]?.confirmedAgeMs ?? Number.NaN);
  }
}

test('a destination of which nothing is known has nothing since the start', () => {
  const scene = new Scene();
  expect(scene.confirmedAt(undefined)).toBe(START);
  scene.stage(1n, 5_000, 6_000);
  expect(scene.confirmedAt(undefined)).toBe(START);
});

test('one that has everything is as far as staging, whenever the last commit was', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.gauges.set('stagedAsOf', 99_000); // a look that found nothing new
  expect(scene.confirmedAt(1n)).toBe(99_000);
});

test('one that lacks the next file has what was committed before its first commit', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.stage(2n, 50_000, 50_010);
  scene.stage(3n, 51_000, 51_010);
  expect(scene.confirmedAt(1n)).toBe(50_000);
});

test('lag does not shrink because the files that are lacking were freed', () => {
  const scene = new Scene();
  for (const txid of [1n, 2n, 3n, 4n])
    scene.stage(txid, Number(txid) * 10_000, Number(txid) * 10_000);
  scene.confirm(1n);
  scene.backlog.release(3n);
  expect(scene.confirmedAt(1n)).toBe(10_000);
});

test('an image that is announced and not staged is lacking everywhere', () => {
  const scene = new Scene();
  scene.stage(1n, 5_000, 6_000);
  scene.confirm(1n);
  scene.head = 2n;
  expect(scene.confirmedAt(1n)).toBe(6_000);
});

test('what comes to a database that was missing counts from when it appeared', () => {
  const scene = new Scene();
  scene.confirmations.spare([{ name: 's3', replicatedTXID: undefined }], scene.supply, 90_000);
  expect(scene.confirmedAt(undefined)).toBe(90_000);
  scene.stage(1n, 91_000, 92_000);
  expect(scene.confirmedAt(undefined)).toBe(90_000);
  scene.confirmations.spare([{ name: 's3', replicatedTXID: undefined }], scene.supply, 95_000);
  expect(scene.confirmedAt(undefined)).toBe(90_000); // it lacked something before
});

test.each(['no file', 'empty'] satisfies Absence[])(
  'where the database is missing (%s) nothing is lacking that was never there',
  (kind) => {
    const scene = new Scene();
    scene.absence = { kind, since: 2_000 };
    expect(scene.confirmedAt(undefined)).toBe(NOW);
    scene.stage(1n, 5_000, 6_000);
    expect(scene.confirmedAt(1n)).toBe(NOW);
    expect(scene.confirmedAt(undefined)).toBe(START);
  },
);
