/** The hard promises of the contract, each over all five backends, as the engine uses them. */

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
  held,
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
/** More requests than any of these calls needs. */
const STEPS_MAX = 60;
/** Rule 3 says a second; a busy machine may be late. */
const ABORT_MS_MAX = 1_500;

/** In a hurry: no pause between two tries. */
function wrapped(client: ReplicaClient): Destination {
  return new Destination(client, { random: () => 0 });
}

/** In one request, and in several where there is such a thing. */
function sizesOf({ partBytes }: Kind): readonly number[] {
  return partBytes === 'never' ? [SMALL_BYTES] : [SMALL_BYTES, partBytes + 10];
}

/** Each step once, until there are no more. `run` says whether its step was reached. */
async function forEachStep(run: (step: number) => Promise<boolean>): Promise<number> {
  for (let step = 1; step < STEPS_MAX; step += 1) if (!(await run(step))) return step - 1;
  throw new Error(`more than ${STEPS_MAX} steps`);
}

for (const kind of KINDS) {
  describeWith(kind.tools, kind.name, () => {
    test(`1,000 replicas at one destination are ${kind.socketsMax} sockets at most`, async () => {
      const place = await kind.open();
      const sockets = countSocketsTo(place.port);
      const destination = wrapped(await place.connect());
      await useAtOnce(destination, 1_000, place);
      expect(sockets.most).toBeGreaterThan(kind.socketsMax === 0 ? -1 : 0);
      expect(sockets.most).toBeLessThanOrEqual(kind.socketsMax);
      await destination.close();
      await until('all sockets are gone', () => sockets.now === 0);
    });

    test.each([
      [40, 3_000_000],
      [300, 400_000],
    ])('%i files that are open keep no other call waiting', async (count, sizeBytes) => {
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

    describe.each(['before', 'after'] as const)('an abort %s any step of a write', (moment) => {
      test.each(sizesOf(kind))('of %i bytes leaves the new file or the old one', async (size) => {
        const place = await kind.open();
        for (const before of ['none', pattern(1_000, 9)] as const) {
          const steps = await forEachStep((step) => abortAt(place, { step, moment, size, before }));
          expect(steps).toBeGreaterThan(0);
        }
      });
    });

    test.each(sizesOf(kind))(
      'a conditional write of %i bytes whose answer was lost is no conflict with itself',
      async (size) => {
        const place = await kind.open();
        const steps = await forEachStep((step) => loseAt(place, kind, step, size));
        expect(steps).toBeGreaterThan(0);
      },
    );

    test('restore and status in a loop beside a running daemon touch nothing', async () => {
      const place = await kind.open();
      const setting = makeSetting(place);
      const { child, ended } = startSluice('replicate', '-config', setting.daemon);
      await until('the first sync', async () => (await setting.status()) === 0);
      const temporary = plantTemporary(place.onDisk?.(place.pathOf('app')));
      place.noteChanges();
      for (let round = 0; round < 3; round += 1) {
        setting.add();
        const codes = await Promise.all([setting.restore(), setting.status()]);
        expect(codes[0]).toBe(0);
        expect([0, 3]).toContain(codes[1]); // a daemon may be behind for a moment
      }
      await until('everything is there', async () => (await setting.status()) === 0);
      expect(await setting.restore()).toBe(0);
      expect(setting.restoredRows()).toEqual(setting.rows());
      expect(place.changes()).toEqual([]);
      expect(temporary.filter((file) => !fs.existsSync(file))).toEqual([]);
      child.kill('SIGTERM');
      expect(await ended).toMatchObject({ code: 0 });
    });
  });
}

/** What a daemon that is writing has in a folder. */
function plantTemporary(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  return [0, 9].map((level) => {
    const file = temporaryPath(path.join(folder, 'ltx', String(level), 'a.ltx'));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, 'the first half of');
    return file;
  });
}

/** Writes, lists and deletes in all of them. */
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

/** Returns whether the write came to that step. */
async function abortAt(place: Place, { step, moment, size, before }: Abort): Promise<boolean> {
  const name = place.pathOf(`${moment}-${size}-${before === 'none' ? 'new' : 'old'}-${step}`);
  const outside = wrapped(await place.connectDirectly()).replica(name);
  await outside.writeFile(ref(0, 2), bodyOf(pattern(9, 1))); // a root that is there
  if (before !== 'none') await outside.writeFile(FILE, bodyOf(before));
  const destination = wrapped(await place.connect());
  const controller = new AbortController();
  const reason = new Error('not wanted');
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
  place.steps.calm();
  if (ended !== 'done') {
    expect(ended).toBe(reason);
    expect(performance.now() - since).toBeLessThan(ABORT_MS_MAX);
  }
  const found = await held(outside, FILE);
  const isNew = found !== 'none' && found.byteLength === size;
  if (ended === 'done') expect(isNew).toBe(true);
  assertBytes(found, isNew ? bytes : before);
  // It is decided when the call returns: what is in flight then does not come later.
  await destination.close();
  assertBytes(await held(outside, FILE), isNew ? bytes : before);
  expect(await list(outside, 'all')).toHaveLength(isNew || before !== 'none' ? 2 : 1);
  expect(place.leftovers()).toEqual([]);
  return at.isReached();
}

/** Returns whether the write came to that step. */
async function loseAt(place: Place, kind: Kind, step: number, size: number): Promise<boolean> {
  const bytes = pattern(size, step);
  const name = place.pathOf(`lost-${size}-${step}`);
  const inner = await place.connect();
  // A folder has no network that could lose an answer: what lies above it does.
  const lost = new ReplicationError('REPLICA_UNAVAILABLE', 'the answer was lost');
  const fault = { on: 'put', after: step - 1, at: 'commit', error: lost } as const;
  const destination = wrapped(kind.name === 'file' ? chaos(inner, fault).client : inner);
  const client = destination.replica(name);
  const at = place.steps.at(step, 'lost');
  const info = await client.writeFile(FILE, bodyOf(bytes), { condition: 'if-absent' });
  place.steps.calm();
  expect(info.sizeBytes).toBe(size);
  assertBytes(await read(client, FILE), bytes);
  // Somebody else's file is a conflict all the same.
  const other = client.writeFile(FILE, bodyOf(pattern(size, 99)), { condition: 'if-absent' });
  await rejectsWith(other, 'REPLICA_CONFLICT');
  assertBytes(await read(client, FILE), bytes);
  return kind.name === 'file' ? step === 1 : at.isReached();
}
