/** The most difficult promises of the contract, for all five backends with core's wrappers. */

import { Destination } from '@sluice/core';
import fs from 'node:fs';
import path from 'node:path';

import { chaos } from '@sluice/backend-test-kit';

import { readBytes, ReplicationError, type ReplicaClient } from '@sluice/core/backend';
import type { Replica } from '@sluice/core/backend/testing';
import { temporaryPath } from '@sluice/core/backend/folder';
import { describe, expect, test } from 'vitest';
import { startSluice } from '../check/program.ts';
import { describeWith } from '../support/require.ts';
import { until } from '../support/wait.ts';
import {
  assertBytes,
  bodyOf,
  readIfPresent,
  inParallel,
  list,
  pattern,
  read,
  ref,
  rejectsWith,
} from './context.ts';
import { KINDS, type Kind, type Place } from './promises/places.ts';
import { makeSetting } from './promises/setting.ts';
import { countSocketsTo } from './promises/sockets.ts';
import type { Moment } from './promises/steps.ts';

const FILE = ref(0, 1);
const SMALL_BYTES = 5_000;
/** Upper bound for the number of requests of a call. */
const STEPS_MAX = 60;
/** The contract allows a second (rule 3). A busy machine may be late. */
const ABORT_MS_MAX = 1_500;

/** Wraps a client, without pauses between attempts. */
function wrapped(client: ReplicaClient): Destination {
  return new Destination(client, { random: () => 0 });
}

/** A size for a single request, and one for several requests if the backend supports that. */
function sizesOf({ partBytes }: Kind): readonly number[] {
  return partBytes === 'never' ? [SMALL_BYTES] : [SMALL_BYTES, partBytes + 10];
}

/** Runs once for each step, until a step is not reached. Returns the number of steps. */
async function forEachStep(run: (step: number) => Promise<boolean>): Promise<number> {
  for (let step = 1; step < STEPS_MAX; step += 1) if (!(await run(step))) return step - 1;
  throw new Error(`more than ${STEPS_MAX} steps`);
}

for (const kind of KINDS) {
  describeWith(kind.tools, kind.name, () => {
    test(`1,000 replicas at one destination use at most ${kind.socketsMax} sockets`, async () => {
      const place = await kind.open();
      const sockets = countSocketsTo(place.port);
      const destination = wrapped(await place.connect());
      await useAtOnce(destination, 1_000, place);
      expect(sockets.most).toBeGreaterThan(kind.socketsMax === 0 ? -1 : 0);
      expect(sockets.most).toBeLessThanOrEqual(kind.socketsMax);
      await destination.close();
      await until('all sockets are closed', () => sockets.now === 0);
    });

    test.each([
      [40, 3_000_000],
      [300, 400_000],
    ])('%i open files do not block other calls', async (count, sizeBytes) => {
      const place = await kind.open();
      const sockets = countSocketsTo(place.port);
      const replica = wrapped(await place.connect()).replica(place.pathOf('db'));
      const bytes = pattern(sizeBytes, 1);
      await replica.writeFile(FILE, bodyOf(bytes));
      const opened = await Promise.all(Array.from({ length: count }, () => replica.openFile(FILE)));
      await replica.writeFile(ref(0, 2), bodyOf(pattern(9, 1)));
      expect(await list(replica, 0)).toHaveLength(2);
      await inParallel(opened, async ({ body }) =>
        assertBytes(await readBytes(body, bytes.byteLength), bytes),
      );
      expect(sockets.most).toBeLessThanOrEqual(kind.socketsMax);
    });

    describe.each(['before', 'after'] as const)('an abort %s any request of a write', (moment) => {
      test.each(sizesOf(kind))(
        'of %i bytes leaves the complete new file or the old one',
        async (size) => {
          const place = await kind.open();
          for (const before of ['none', pattern(1_000, 9)] as const) {
            const steps = await forEachStep((step) =>
              abortAt(place, { step, moment, size, before }),
            );
            expect(steps).toBeGreaterThan(0);
          }
        },
      );
    });

    test.each(sizesOf(kind))(
      'a conditional write of %i bytes whose response is lost does not conflict with itself',
      async (size) => {
        const place = await kind.open();
        const steps = await forEachStep((step) => loseAt(place, kind, step, size));
        expect(steps).toBeGreaterThan(0);
      },
    );

    test('restore and status beside a running daemon change nothing', async () => {
      const place = await kind.open();
      const setting = makeSetting(place);
      const { child, ended } = startSluice('replicate', '-config', setting.daemon);
      await until('the first sync', async () => (await setting.status()) === 0);
      const temporary = plantTemporary(place.onDisk?.(place.pathOf('app')));
      place.recordChanges();
      for (let round = 0; round < 3; round += 1) {
        setting.add();
        const codes = await Promise.all([setting.restore(), setting.status()]);
        expect(codes[0]).toBe(0);
        expect([0, 3]).toContain(codes[1]); // the daemon may lag for a moment
      }
      await until('everything is replicated', async () => (await setting.status()) === 0);
      expect(await setting.restore()).toBe(0);
      expect(setting.restoredRows()).toEqual(setting.rows());
      expect(place.changes()).toEqual([]);
      expect(temporary.filter((file) => !fs.existsSync(file))).toEqual([]);
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0 });
    });
  });
}

/** Creates temporary files like those of a running upload. */
function plantTemporary(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  return [0, 9].map((level) => {
    const file = temporaryPath(path.join(folder, 'ltx', String(level), 'a.ltx'));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, 'the first half of');
    return file;
  });
}

/** Writes, lists and deletes in `count` replicas at once. */
async function useAtOnce(destination: Destination, count: number, place: Place): Promise<void> {
  const replicas = Array.from({ length: count }, (_, index) =>
    destination.replica(place.pathOf(`db-${index}`)),
  );
  const bytes = pattern(100, 1);
  const each = (work: (replica: Replica) => Promise<unknown>): Promise<unknown[]> =>
    Promise.all(replicas.map(work));
  await each((replica) => replica.writeFile(FILE, bodyOf(bytes)));
  expect(await each(async (replica) => (await list(replica, 'all')).length)).toEqual(
    replicas.map(() => 1),
  );
  await each((replica) => replica.deleteFiles([FILE]));
}

interface Abort {
  readonly step: number;
  readonly moment: Moment;
  readonly size: number;
  readonly before: Uint8Array | 'none';
}

/** Returns whether the write reached the step. */
async function abortAt(place: Place, { step, moment, size, before }: Abort): Promise<boolean> {
  const name = place.pathOf(`${moment}-${size}-${before === 'none' ? 'new' : 'old'}-${step}`);
  const outside = wrapped(await place.connectDirectly()).replica(name);
  await outside.writeFile(ref(0, 2), bodyOf(pattern(9, 1))); // creates the root
  if (before !== 'none') await outside.writeFile(FILE, bodyOf(before));
  const destination = wrapped(await place.connect());
  const controller = new AbortController();
  const reason = new Error('aborted by the test');
  let since = 0;
  const at = place.steps.at(step, moment, () => {
    since = performance.now();
    controller.abort(reason);
  });
  const bytes = pattern(size, step);
  const { signal } = controller;
  const ended: unknown = await destination
    .replica(name)
    .writeFile(FILE, bodyOf(bytes), { signal })
    .then(
      () => 'done',
      (error: unknown) => error,
    );
  place.steps.reset();
  if (ended !== 'done') {
    expect(ended).toBe(reason);
    expect(performance.now() - since).toBeLessThan(ABORT_MS_MAX);
  }
  const found = await readIfPresent(outside, FILE);
  const isNew = found !== 'none' && found.byteLength === size;
  if (ended === 'done') expect(isNew).toBe(true);
  assertBytes(found, isNew ? bytes : before);
  // The result is final when the call returns: no request in flight may change it later.
  await destination.close();
  assertBytes(await readIfPresent(outside, FILE), isNew ? bytes : before);
  expect(await list(outside, 'all')).toHaveLength(isNew || before !== 'none' ? 2 : 1);
  expect(place.leftovers()).toEqual([]);
  return at.isReached();
}

/** Returns whether the write reached the step. */
async function loseAt(place: Place, kind: Kind, step: number, size: number): Promise<boolean> {
  const bytes = pattern(size, step);
  const name = place.pathOf(`lost-${size}-${step}`);
  const inner = await place.connect();
  // A folder has no network, so a wrapper loses the response.
  const lost = new ReplicationError('REPLICA_UNAVAILABLE', 'the response was lost');
  const fault = { on: 'put', after: step - 1, at: 'commit', error: lost } as const;
  const destination = wrapped(kind.name === 'file' ? chaos(inner, fault).client : inner);
  const client = destination.replica(name);
  const at = place.steps.at(step, 'lost');
  const info = await client.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
  place.steps.reset();
  expect(info.sizeBytes).toBe(size);
  assertBytes(await read(client, FILE), bytes);
  // A file of another writer is still a conflict.
  const other = client.writeFile(FILE, bodyOf(pattern(size, 99)), { condition: 'if-absent' });
  await rejectsWith(other, 'REPLICA_CONFLICT');
  assertBytes(await read(client, FILE), bytes);
  return kind.name === 'file' ? step === 1 : at.isReached();
}
