/** Two replicators with the same destination: one of them writes there. */

import { expect, test } from 'vitest';
import {
  formatOwner,
  OWNER_NAME,
  parseOwner,
  type Owner,
} from '../../../src/replicate/ownership/owner.ts';
import type { MemoryStore } from '../../../src/store/memory.ts';
import { refusal, Scene, Staged, StoppedClock, type SceneOptions } from '../scene.ts';

const HOUR_MS = 3_600_000;
const OWNER_KEY = `db/${OWNER_NAME}`;

function ownerOf(store: MemoryStore): Owner | undefined {
  const stored = store.objects.get(OWNER_KEY);
  const owner = stored && parseOwner(Buffer.from(stored.bytes).toString());
  return typeof owner === 'object' ? owner : undefined;
}

/** Puts an object in the place of the owner object. */
function putOwner(store: MemoryStore, content: string): void {
  store.put(OWNER_KEY, Buffer.from(content), { modifiedAt: new Date() });
}

function namesIn(store: MemoryStore): string[] {
  return [...store.objects.keys()];
}

/** Starts a scene, with an image if it has no commit yet, and sends one more commit. */
async function replicated(scene: Scene): Promise<Scene> {
  if (scene.staged.head === 0n) scene.staged.image();
  scene.start();
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  return scene;
}

/** A database with a few commits at a destination of its own. */
async function production(): Promise<Scene> {
  const scene = new Scene({ owner: { host: 'production' } }).start();
  scene.staged.image();
  scene.staged.commit();
  expect(await scene.drained()).toBe('complete');
  return scene;
}

/** Another database with the same destination: it would write above it. */
function staging(store: MemoryStore, foreign: 'refuse' | 'take over' = 'refuse'): Scene {
  const staged = new Staged(0x900n);
  staged.image(8n);
  return new Scene({ store, staged, owner: { host: 'staging', foreign } }).start();
}

/** Another one owns the replica: it notices that with the next listing. */
async function expectStopped(scene: Scene): Promise<void> {
  scene.staged.commit();
  scene.later(24 * HOUR_MS);
  await scene.until('it has stopped', () => scene.uploader.state === 'failing');
  expect(scene.uploader.health.lastError?.code).toBe('REPLICA_IN_USE');
}

test('a replica has an owner before anything is written there', async () => {
  const scene = await production();
  expect(namesIn(scene.store)[0]).toBe(OWNER_KEY);
  expect(ownerOf(scene.store)).toMatchObject({ host: 'production', epoch: 1, txid: 0n });
});

test('another database is refused, told whose the replica is, and writes nothing', async () => {
  const first = await production();
  const { store } = first;
  await first.uploader.close(new Error('it is off'));
  const before = namesIn(store);
  const second = staging(store);
  expect(await second.drained()).toBe('behind');
  expect(namesIn(store)).toEqual(before);
  expect(ownerOf(store)?.host).toBe('production');
  expect(second.uploader.state).toBe('failing');
  const { lastError } = second.uploader.health;
  expect(lastError?.code).toBe('REPLICA_IN_USE');
  expect(lastError?.message).toMatch(
    /it belongs to .*app\.db on production \(process \d+\).*its newest TXID is 0000000000000002, written at 20.*-take-over/,
  );
});

test('another database writes there if it takes the replica over, and the first one stops', async () => {
  const first = await production();
  const { store } = first;
  const second = staging(store, 'take over');
  expect(await second.drained()).toBe('complete');
  expect(ownerOf(store)).toMatchObject({ host: 'staging', epoch: 2 });
  const before = namesIn(store);
  for (let commit = 0; commit < 8; commit++) first.staged.commit(); // 3 to 10: its 9 is taken
  expect(await first.drained()).toBe('behind');
  expect(first.uploader.health.lastError?.code).toBe('REPLICA_IN_USE');
  expect(first.uploader.health.lastError?.message).toMatch(/another replicator has taken it over/);
  expect(first.needs).not.toContain('needs-image');
  const added = namesIn(store).filter((name) => !before.includes(name));
  first.later(HOUR_MS);
  expect(await first.drained()).toBe('behind');
  expect(namesIn(store).filter((name) => !before.includes(name))).toEqual(added);
  await second.expectRestored();
});

test('a replicator that lost its replica notices it with the next listing', async () => {
  const first = await production();
  const second = staging(first.store, 'take over');
  expect(await second.drained()).toBe('complete');
  await expectStopped(first);
  expect(await second.drained()).toBe('complete');
});

test('a later run with the same staging folder goes on, and so does one that lost its record', async () => {
  const { staged, store, uploader, record } = await production();
  await uploader.close(new Error('the end of a run'));
  const second = new Scene({ staged, store, record, owner: { host: 'production' } }).start();
  staged.commit();
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual([]);
  expect(ownerOf(store)?.epoch).toBe(2);
  await second.uploader.close(new Error('the end of a run'));
  const third = new Scene({ staged, store, owner: { host: 'production' } }).start();
  staged.commit();
  expect(await third.drained()).toBe('complete');
  await third.expectRestored();
});

test('a destination that was emptied or put back gets its owner again', async () => {
  const scene = await production();
  const owner = scene.store.objects.get(OWNER_KEY);
  const { run } = ownerOf(scene.store) as Owner;
  scene.store.objects.clear();
  scene.staged.commit();
  scene.later(HOUR_MS);
  expect(await scene.drained()).toBe('complete');
  scene.staged.commit();
  scene.later(HOUR_MS);
  expect(await scene.drained()).toBe('complete');
  expect(ownerOf(scene.store)).toMatchObject({ run, epoch: 2 });
  await scene.expectRestored();
  // An older state, with the owner object of an earlier run.
  const text = Buffer.from((owner as NonNullable<typeof owner>).bytes).toString();
  const bytes = Buffer.from(text.replace(run, '00000000000000ff'));
  scene.store.objects.set(OWNER_KEY, { ...(owner as NonNullable<typeof owner>), bytes });
  scene.staged.commit();
  scene.later(24 * HOUR_MS);
  await scene.until('the owner is replaced', () => ownerOf(scene.store)?.run === run);
  expect(await scene.drained()).toBe('complete');
  await scene.expectRestored();
});

test('a destination that does not allow the object is written to, with a warning', async () => {
  const scene = new Scene({
    owner: { host: 'production' },
    objects: () => ({ put: async () => await Promise.reject(refusal()) }),
  }).start();
  scene.staged.image();
  expect(await scene.drained()).toBe('complete');
  expect(scene.messages.join('\n')).toMatch(/cannot read or write sluice-owner\.json there/);
  await scene.expectRestored();
});

test('a failure to write the object sends nothing', async () => {
  let isDown = true;
  const scene = new Scene({
    owner: { host: 'production' },
    objects: (server) => ({
      put: async (...given) =>
        await (isDown ? Promise.reject(refusal('REPLICA_UNAVAILABLE')) : server.put(...given)),
    }),
  }).start();
  scene.staged.image();
  const failure = (): string | undefined => scene.uploader.health.lastError?.code;
  await scene.until('it has failed', () => failure() === 'REPLICA_UNAVAILABLE');
  expect(namesIn(scene.store)).toEqual([]);
  isDown = false;
  expect(await scene.drained()).toBe('complete');
  expect(namesIn(scene.store)[0]).toBe(OWNER_KEY);
});

test('a replicator that may not write the object still stops when another one owns the replica', async () => {
  const scene = new Scene({
    owner: { host: 'production' },
    objects: () => ({ put: async () => await Promise.reject(refusal()) }),
  }).start();
  scene.staged.image();
  expect(await scene.drained()).toBe('complete');
  const second = staging(scene.store, 'take over');
  expect(await second.drained()).toBe('complete');
  await expectStopped(scene);
  expect(await second.drained()).toBe('complete');
});

test('an object that may be written and not replaced is a warning', async () => {
  const objects: SceneOptions['objects'] = (server) => ({
    put: async (name, bytes, options = {}) =>
      await (options.condition === 'if-absent'
        ? server.put(name, bytes, options)
        : Promise.reject(refusal())),
  });
  const owner = { host: 'production' };
  const { staged, store, uploader, record } = await replicated(new Scene({ owner, objects }));
  await uploader.close(new Error('the end of a run'));
  const second = new Scene({ staged, store, record, owner, objects });
  await replicated(second);
  expect(ownerOf(store)?.epoch).toBe(1);
  expect(second.messages.join('\n')).toMatch(/cannot read or write sluice-owner\.json there/);
  await second.expectRestored();
});

test('credentials that get "denied" for a missing object create it', async () => {
  const scene = new Scene({
    owner: { host: 'production' },
    objects: (server) => ({
      get: async (...given) => {
        if (!scene.store.objects.has(OWNER_KEY)) throw refusal();
        return await server.get(...given);
      },
    }),
  });
  await replicated(scene);
  expect(ownerOf(scene.store)?.host).toBe('production');
  expect(scene.messages.join('\n')).not.toMatch(/sluice-owner/);
});

test('a destination that does not allow to read the object is written to, with one warning', async () => {
  const options: SceneOptions = {
    owner: { host: 'production' },
    objects: () => ({ get: async () => await Promise.reject(refusal()) }),
  };
  const { staged, store, uploader, record } = await replicated(new Scene(options));
  await uploader.close(new Error('the end of a run'));
  const second = new Scene({ ...options, staged, store, record });
  await replicated(second);
  for (let day = 0; day < 3; day++) {
    const { listings } = second.uploader;
    second.later(24 * HOUR_MS);
    await second.until('it is listed again', () => second.uploader.listings > listings);
    staged.commit();
    expect(await second.drained()).toBe('complete');
  }
  expect(second.messages.filter((message) => /sluice-owner/.test(message))).toHaveLength(1);
  expect(ownerOf(store)?.epoch).toBe(1);
  await second.expectRestored();
});

test('a run whose write of the object got no answer is the owner, and stops for the next one', async () => {
  let isLost = true;
  const scene = new Scene({
    owner: { host: 'production' },
    objects: (server) => ({
      put: async (...given) => {
        const written = await server.put(...given);
        if (!isLost) return written;
        isLost = false;
        throw refusal('REPLICA_UNAVAILABLE');
      },
    }),
  });
  await replicated(scene);
  const owner = ownerOf(scene.store) as Owner;
  expect(owner.epoch).toBe(1);
  putOwner(scene.store, formatOwner({ ...owner, run: '00000000000000ff', epoch: 2 }));
  scene.later(24 * HOUR_MS);
  await scene.until('it has stopped', () => scene.uploader.state === 'failing');
  expect(scene.uploader.health.lastError?.code).toBe('REPLICA_IN_USE');
});

test('an object that is never replaced under its version is replaced without one', async () => {
  const objects: SceneOptions['objects'] = (server) => ({
    put: async (name, bytes, options = {}) => {
      if (typeof options.condition === 'object') throw refusal('REPLICA_CONFLICT');
      return await server.put(name, bytes, options);
    },
  });
  const owner = { host: 'production' };
  const { staged, store, uploader, record } = await replicated(new Scene({ owner, objects }));
  await uploader.close(new Error('the end of a run'));
  const second = new Scene({ staged, store, record, owner, objects });
  await replicated(second);
  expect(ownerOf(store)?.epoch).toBe(2);
  expect(second.messages.join('\n')).toMatch(/refuses to replace sluice-owner\.json although/);
});

test.for([
  ['is cut short', '{"format": 1, "id'],
  ['is of a later version', '{"format": 2}'],
  ['is too large', JSON.stringify({ format: 1, junk: 'x'.repeat(1_048_576) })],
  ['is a web page', '<!doctype html><title>Welcome</title>'],
] as const)('an owner object that %s keeps others away, and not us', async ([, content]) => {
  const { staged, store, uploader, record } = await production();
  await uploader.close(new Error('the end of a run'));
  putOwner(store, content);
  const other = staging(store);
  expect(await other.drained()).toBe('behind');
  expect(other.uploader.health.lastError).toMatchObject({
    code: 'REPLICA_IN_USE',
    message: expect.stringMatching(
      /its sluice-owner\.json (is damaged|was written by a later)/,
    ) as string,
  });
  const second = new Scene({ staged, store, record, owner: { host: 'production' } });
  await replicated(second);
  expect(ownerOf(store)?.host).toBe('production');
  await second.expectRestored();
});

test('a database keeps its replica on a renamed host, and after its clock was set back', async () => {
  const { staged, store, uploader, record } = await production();
  await uploader.close(new Error('the end of a run'));
  const clock = new StoppedClock();
  clock.now = () => 0;
  const second = new Scene({ staged, store, record, clock, owner: { host: 'renamed' } });
  await replicated(second);
  expect(second.needs).toEqual([]);
  expect(ownerOf(store)).toMatchObject({ host: 'renamed', since: '1970-01-01T00:00:00.000Z' });
});
