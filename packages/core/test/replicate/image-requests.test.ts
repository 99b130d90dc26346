/** When a full snapshot is requested, and which destinations get it. */

import { expect, onTestFinished, test, vi } from 'vitest';
import type { StagedSnapshot } from '../../src/replicate/backlog.ts';
import type { Uploader } from '../../src/replicate/destination/uploader.ts';
import { ImageRequests } from '../../src/replicate/image-requests.ts';
import { isInScope, type SnapshotScope } from '../../src/replicate/levels/snapshot-time.ts';
import type { EngineLink } from '../../src/replicate/watch-pool.ts';
import { StoppedClock } from './scene.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NEED = { kind: 'needs-snapshot', why: 'files are missing there' } as const;

/** A destination that has a snapshot with TXID 1 of this age. */
class FakeDestination {
  state = 'streaming';
  readonly holdings = { seeding: undefined };
  readonly deleter = { contents: { retention: undefined } };
  replicatedTXID: bigint | undefined = 9n;
  snapshotRefusal: Uploader['snapshotRefusal'];
  woken = 0;
  readonly snapshotIntervalMs: number;
  ageMs: number;
  readonly #txid = 1n;

  constructor(snapshotIntervalMs: number, ageMs: number) {
    this.snapshotIntervalMs = snapshotIntervalMs;
    this.ageMs = ageMs;
  }

  get newestSnapshot(): Uploader['newestSnapshot'] {
    return { txid: this.#txid, ageMs: this.ageMs, guessForMs: 0 };
  }

  lacksSnapshot({ txid, scope }: StagedSnapshot): boolean {
    const { snapshotIntervalMs: intervalMs, newestSnapshot: newest } = this;
    return txid > this.#txid && isInScope(scope, { intervalMs, newest });
  }

  wake(): void {
    this.woken += 1;
  }
}

function scene(...destinations: FakeDestination[]) {
  const snapshot = vi.fn<EngineLink['snapshot']>();
  const staged: { snapshot: StagedSnapshot | undefined } = { snapshot: undefined };
  const ignore = (): void => undefined;
  const requests = new ImageRequests({
    engine: () => ({ snapshot }) as unknown as EngineLink,
    uploaders: () => destinations as unknown as Uploader[],
    state: () => 'following',
    head: () => 9n,
    stagedSnapshot: () => staged.snapshot,
    onImage: ignore,
    onRetry: ignore,
    schedule: {},
    clock: new StoppedClock(),
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  onTestFinished(() => requests.close());
  return { requests, snapshot, staged };
}

function stagedFor(scope: SnapshotScope | undefined): StagedSnapshot {
  const file = { path: '/s', sizeBytes: 1, pageSize: 512, timestampMs: 0 };
  return { txid: 5n, lineage: 1n, scope, ...file };
}

test('a snapshot is made when one destination is due, for those with its interval or a shorter one', () => {
  const { requests, snapshot } = scene(
    new FakeDestination(HOUR_MS, HOUR_MS),
    new FakeDestination(DAY_MS, 2 * HOUR_MS),
  );
  requests.scheduleSnapshot();
  expect(snapshot).toHaveBeenCalledOnce();
  expect(requests.scope).toEqual({ intervalMs: HOUR_MS, earlyMs: HOUR_MS / 10 });
});

test('no snapshot is made while no destination is due', () => {
  const { requests, snapshot } = scene(
    new FakeDestination(HOUR_MS, HOUR_MS - 1),
    new FakeDestination(DAY_MS, DAY_MS - 1),
  );
  requests.scheduleSnapshot();
  expect(snapshot).not.toHaveBeenCalled();
});

test('a staged snapshot delays the next one only while a destination in its scope lacks it', () => {
  const often = new FakeDestination(HOUR_MS, HOUR_MS);
  const rarely = new FakeDestination(DAY_MS, 2 * HOUR_MS);
  const { requests, snapshot, staged } = scene(often, rarely);
  staged.snapshot = stagedFor({ intervalMs: HOUR_MS, earlyMs: 0 });
  requests.scheduleSnapshot();
  expect(snapshot).not.toHaveBeenCalled();
  often.state = 'failing'; // it must not delay the other one, which is not in the scope
  rarely.ageMs = DAY_MS - 1;
  requests.scheduleSnapshot();
  expect(snapshot).not.toHaveBeenCalled();
  rarely.ageMs = DAY_MS; // it gets the one that is staged
  requests.scheduleSnapshot();
  expect(snapshot).not.toHaveBeenCalled();
  expect([often.woken, rarely.woken]).toEqual([0, 1]);
});

test('a snapshot that a destination needs goes to those with its interval or a shorter one', () => {
  const { requests, snapshot } = scene(
    new FakeDestination(HOUR_MS, 0),
    new FakeDestination(DAY_MS, 0),
  );
  requests.request(NEED, HOUR_MS);
  expect(snapshot).toHaveBeenCalledOnce();
  expect(requests.scope?.intervalMs).toBe(HOUR_MS);
  requests.request(NEED, DAY_MS); // meanwhile the other one needs it too
  expect(snapshot).toHaveBeenCalledOnce();
  expect(requests.scope?.intervalMs).toBe(DAY_MS);
});

test('a snapshot that is ordered goes to all, also if one is being made', () => {
  const { requests, snapshot } = scene(
    new FakeDestination(HOUR_MS, HOUR_MS),
    new FakeDestination(DAY_MS, 0),
  );
  requests.scheduleSnapshot();
  expect(requests.scope?.intervalMs).toBe(HOUR_MS);
  expect(requests.requestSnapshot()).toBe('under way');
  expect(requests.scope?.intervalMs).toBe(Infinity);
  requests.requestDone();
  expect(requests.requestSnapshot()).toBe('ordered');
  expect(snapshot).toHaveBeenCalledTimes(2);
  expect(requests.scope?.intervalMs).toBe(Infinity);
});
