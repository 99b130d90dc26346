/** The connection is lost, or the call is aborted, at each request of a call in turn. */

import { isError, type ReplicaClient } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';

import { startFakeServer, tree, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, readText, ref, ROOT } from './fixtures.ts';

const FILE = ref(0, 1);
const CLEAN = ['.sluice-root', 'ltx/0/0000000000000001-0000000000000001.ltx'];
const STEPS_MAX = 100;

/** Runs `act` at the n-th request from now on. */
function atRequest(
  fake: FakeServer,
  step: number,
  act: () => 'lost-before' | 'lost-after' | void,
): { readonly isReached: () => boolean } {
  let count = 0;
  fake.intercept = () => ((count += 1) === step ? (act() ?? undefined) : undefined);
  return { isReached: () => count >= step };
}

/** Expects a reader to find one of these texts, and a file of that size in a listing. */
async function expectOneOf(fake: FakeServer, ...texts: readonly string[]): Promise<void> {
  const reader = await connectTo(fake, { access: 'read' });
  const client = new Replica(reader, ROOT);
  const found = await readText(client, FILE).catch((error: unknown) => {
    const isNone =
      isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_DESTINATION_NOT_FOUND');
    if (isNone) return 'none';
    throw error;
  });
  expect(texts).toContain(found);
  const listed = await Array.fromAsync(client.listFiles('all')).catch(() => []);
  expect(listed.map(({ sizeBytes }) => sizeBytes)).toEqual(found === 'none' ? [] : [found.length]);
  await reader.close();
}

/** Runs each step once. `run` returns false if its step was not reached, which ends the loop. */
async function forEachStep(run: (step: number) => Promise<boolean>): Promise<number> {
  for (let step = 1; step < STEPS_MAX; step += 1) if (!(await run(step))) return step - 1;
  throw new Error(`more than ${STEPS_MAX} requests`);
}

describe.each(['lost-before', 'lost-after'] as const)('a connection that is %s', (loss) => {
  test('each request of a first write never leaves a partial file', async () => {
    const steps = await forEachStep(async (step) => {
      const fake = await startFakeServer();
      const client = new Replica(await connectTo(fake), ROOT);
      const { isReached } = atRequest(fake, step, () => loss);
      const failure: unknown = await client.writeFile(FILE, bodyOf('new')).catch((e: unknown) => e);
      if (isError(failure)) expect(failure.code).toBe('REPLICA_UNAVAILABLE');
      fake.intercept = () => undefined;
      await expectOneOf(fake, 'none', 'new');
      await client.writeFile(FILE, bodyOf('newer'));
      expect(await readText(client, FILE)).toBe('newer');
      expect(tree(fake, ROOT)).toEqual(CLEAN);
      return isReached();
    });
    expect(steps).toBeGreaterThan(15);
  });

  test('each request of a rewrite leaves the old file or the new one', async () => {
    const fake = await startFakeServer();
    const client = new Replica(await connectTo(fake), ROOT);
    await client.writeFile(FILE, bodyOf('old'));
    const steps = await forEachStep(async (step) => {
      const { isReached } = atRequest(fake, step, () => loss);
      const failure: unknown = await client
        .writeFile(FILE, bodyOf(`new ${step}`))
        .catch((e: unknown) => e);
      if (isError(failure)) expect(failure.code).toBe('REPLICA_UNAVAILABLE');
      fake.intercept = () => undefined;
      await expectOneOf(fake, 'old', `new ${step}`);
      await client.writeFile(FILE, bodyOf('newer'));
      await client.writeFile(FILE, bodyOf('old'));
      expect(tree(fake, ROOT)).toEqual(CLEAN);
      return isReached();
    });
    expect(steps).toBeGreaterThan(10);
  });

  test('each request of a deletion leaves the file or nothing', async () => {
    const fake = await startFakeServer();
    const client = new Replica(await connectTo(fake), ROOT);
    const steps = await forEachStep(async (step) => {
      await client.writeFile(FILE, bodyOf('old'));
      const { isReached } = atRequest(fake, step, () => loss);
      const failure: unknown = await client.deleteFiles([FILE]).catch((e: unknown) => e);
      if (isError(failure)) expect(failure.code).toBe('REPLICA_UNAVAILABLE');
      fake.intercept = () => undefined;
      await expectOneOf(fake, 'old', 'none');
      await client.deleteFiles([FILE]);
      expect(tree(fake, ROOT)).toEqual([]); // the last deletion removes the folders that were created
      return isReached();
    });
    expect(steps).toBeGreaterThanOrEqual(3);
  });

  test('each request of a read or a listing is an error that can be retried', async () => {
    const fake = await startFakeServer();
    await new Replica(await connectTo(fake), ROOT).writeFile(FILE, bodyOf('old'));
    const run = async (step: number, what: 'read' | 'list'): Promise<boolean> => {
      const client = new Replica(await connectTo(fake, { access: 'read' }), ROOT);
      const { isReached } = atRequest(fake, step, () => loss);
      const work =
        what === 'read' ? readText(client, FILE) : Array.fromAsync(client.listFiles('all'));
      const failure: unknown = await work.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined) expect(failure).toMatchObject({ code: 'REPLICA_UNAVAILABLE' });
      fake.intercept = () => undefined;
      expect(await readText(client, FILE)).toBe('old');
      return isReached();
    };
    expect(await forEachStep((step) => run(step, 'read'))).toBeGreaterThan(3);
    expect(await forEachStep((step) => run(step, 'list'))).toBeGreaterThan(3);
  });
});

test('an abort at each request of a write leaves the old file or the new one, and nothing else', async () => {
  const fake = await startFakeServer();
  const first = await connectTo(fake);
  await new Replica(first, ROOT).writeFile(FILE, bodyOf('old'));
  const write = async (destination: ReplicaClient, step: number): Promise<boolean> => {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error('not wanted');
    const { isReached } = atRequest(fake, step, () => controller.abort(reason));
    const failure: unknown = await new Replica(destination, ROOT)
      .writeFile(FILE, bodyOf(`new ${step}`), { signal })
      .catch((error: unknown) => error);
    if (failure instanceof Error) expect(failure).toBe(reason);
    await destination.close(); // waits for the aborted call
    return isReached();
  };
  await forEachStep(async (step) => {
    const isReached = await write(await connectTo(fake), step);
    fake.intercept = () => undefined;
    expect(tree(fake, ROOT)).toEqual(CLEAN);
    await expectOneOf(fake, 'old', `new ${step}`);
    await new Replica(first, ROOT).writeFile(FILE, bodyOf('old'));
    return isReached;
  });
});
