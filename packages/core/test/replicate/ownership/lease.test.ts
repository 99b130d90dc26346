/** The lease of a destination, in virtual time: each replicator has a clock that only the test advances. */

import { expect, test, vi } from 'vitest';
import { HeldLease } from '../../../src/replicate/ownership/lease.ts';
import { formatOwner, type Owner } from '../../../src/replicate/ownership/owner.ts';
import { MemoryStore } from '../../../src/store/memory.ts';
import { refusal, Scene, Staged, StoppedClock, writing } from '../scene.ts';
import {
  TTL_MS,
  OWNER_KEY,
  END,
  ownerOf,
  filesIn,
  replicator,
  holder,
  waiter,
  hasFailed,
  isRefused,
  counting,
  unreachable,
} from './lease-scene.ts';

test('the holder renews its lease every third of its time, and an idle one sends nothing else', async () => {
  const requests: string[] = [];
  const { store, clock, uploader, ...first } = await holder({
    objects: (server) => ({
      put: async (...given) => {
        requests.push('put');
        return await server.put(...given);
      },
      get: async (...given) => {
        requests.push('get');
        return await server.get(...given);
      },
    }),
  });
  expect(first.messages.join()).not.toMatch(/lease/);
  expect(ownerOf(store)?.lease).toMatchObject({ ttlMs: TTL_MS, state: 'held' });
  requests.length = 0;
  for (let third = 1; third <= 6; third++) {
    const before = ownerOf(store)?.lease?.renewals ?? 0;
    clock.advance(TTL_MS / 3);
    uploader.wake();
    await vi.waitFor(() => expect(ownerOf(store)?.lease?.renewals).toBeGreaterThan(before));
  }
  expect(requests).toEqual(Array.from({ length: 6 }, () => 'put'));
  expect(ownerOf(store)?.txid).toBe(2n);
});

test('a second replicator waits, says for whom every 10 s, and takes over once the lease is released', async () => {
  const first = await holder();
  const { store } = first;
  const { objects, asked } = counting();
  const second = waiter(store, { objects });
  await second.until('it waits', () => isRefused(second));
  const waits = (): number =>
    second.messages.filter((message) => /waiting for the lease.*app\.db on first/.test(message))
      .length;
  expect(waits()).toBe(1);
  second.clock.advance(9_999);
  await asked(); // it logs nothing
  expect(waits()).toBe(1);
  second.clock.advance(1);
  await second.until('it says so again', () => waits() === 2);
  expect(await second.drained()).toBe('behind');
  await first.uploader.close(END);
  expect(ownerOf(store)).toMatchObject({ host: 'first', lease: { state: 'released' } });
  await second.until('it has the lease', () => ownerOf(store)?.host === 'second');
  await second.until('it is up to date', () => second.uploader.state === 'streaming');
  expect(await second.drained()).toBe('complete');
  await second.expectRestored();
});

test('a replicator that lists the destination before its database is open waits too', async () => {
  const { store } = await holder();
  const staged = new Staged(0x900n);
  const second = new Scene({ store, staged, owner: { host: 'second', lease: { ttlMs: TTL_MS } } });
  second.isOpened = false;
  second.start();
  const listed = second.uploader;
  listed.wake();
  await second.until('it is listed', () => listed.health.lastSuccessMs !== undefined);
  expect(listed.health.lastError).toBeUndefined();
  staged.image(20n);
  second.isOpened = true;
  listed.wake();
  await second.until('it waits', () => isRefused(second));
  expect(listed.health.lastError?.message).toMatch(/holds a lease of 30s/);
});

test('a dead holder is followed when its object has not changed for the time of its lease', async () => {
  const first = await holder(); // its clock stands still
  const { objects, asked } = counting();
  const second = waiter(first.store, { objects });
  await second.until('it waits', () => isRefused(second));
  second.clock.advance(TTL_MS - 1);
  await asked();
  expect(ownerOf(first.store)?.host).toBe('first');
  first.clock.advance(TTL_MS / 3);
  const before = ownerOf(first.store)?.lease?.renewals;
  first.uploader.wake();
  await vi.waitFor(() => expect(ownerOf(first.store)?.lease?.renewals).not.toBe(before));
  await asked(); // it has seen the renewal
  second.clock.advance(TTL_MS - 1);
  await asked();
  expect(ownerOf(first.store)?.host).toBe('first');
  second.clock.advance(1);
  await second.until('it has the lease', () => ownerOf(first.store)?.host === 'second');
  expect(second.messages.join('\n')).toMatch(/the owner now: taken over.*whose lease has ended/);
});

test('what the owner sends while another one lists the destination, and then releases it, is known to that one', async () => {
  const first = await holder();
  const { store } = first;
  const events: string[] = [];
  let isListed = false;
  const second = waiter(store, {
    objects: (server) => ({
      get: async (...given) => {
        if (isListed && first.staged.head === 2n) {
          first.staged.commit();
          expect(await first.drained()).toBe('complete');
          await first.uploader.close(END);
        }
        return await server.get(...given);
      },
      put: async (...given) => {
        const written = await server.put(...given);
        events.push('owner');
        return written;
      },
    }),
    server: (client) => ({
      ...client,
      async *listFiles(level, options) {
        const files = await Array.fromAsync(client.listFiles(level, options));
        events.push(
          `list ${files.reduce((top, { maxTXID }) => (maxTXID > top ? maxTXID : top), 0n)}`,
        );
        isListed = true;
        yield* files;
      },
      writeFile: async (file, ...given) => {
        events.push('write');
        return await client.writeFile(file, ...given);
      },
    }),
  });
  await second.until('it is up to date', () => second.uploader.state === 'streaming');
  expect(events.lastIndexOf('list 3')).toBeGreaterThan(events.indexOf('owner'));
  expect(events.indexOf('write')).toBeGreaterThan(events.lastIndexOf('list 3'));
  expect(await second.drained()).toBe('complete');
  await second.expectRestored();
});

test('a replicator that resumes after a pause sends at most the file in flight', async () => {
  const gate = Promise.withResolvers<void>();
  let isPaused = false;
  const store = new MemoryStore();
  const written: string[] = [];
  const first = await holder({
    store,
    server: writing(async (file, body, options, client) => {
      if (isPaused) written.push(`${file.level}/${file.maxTXID}`);
      if (isPaused && written.length === 1) await gate.promise;
      return await client.writeFile(file, body, options);
    }),
  });
  isPaused = true;
  for (let commit = 0; commit < 5; commit++) first.staged.commit();
  first.uploader.wake();
  await vi.waitFor(() => expect(written).toEqual(['0/3']));
  const second = waiter(store);
  await second.until('it waits', () => isRefused(second));
  second.clock.advance(TTL_MS);
  await second.until('it has the lease', () => ownerOf(store)?.host === 'second');
  await second.until('it is up to date', () => second.uploader.state === 'streaming');
  first.clock.advance(TTL_MS);
  gate.resolve();
  await first.until('it has stopped', () => isRefused(first));
  for (let commit = 0; commit < 5; commit++) first.staged.commit();
  first.uploader.wake();
  expect(await first.drained()).toBe('behind');
  expect(written).toEqual(['0/3']);
  expect(first.needs).toEqual([]);
  expect(await second.drained()).toBe('complete');
  await second.expectRestored();
});

test('a delete does not begin after the lease has ended', async () => {
  const clock = new StoppedClock();
  const held = new HeldLease({ name: 'memory', ttlMs: TTL_MS, clock });
  expect(held.mayBegin).toThrow(/the lease was not renewed/);
  const { store } = await holder();
  const put = async (): Promise<{ version: string }> => await Promise.resolve({ version: 'v2' });
  const objects = { put, get: refusal } as unknown as Parameters<HeldLease['renew']>[0];
  held.adopt(ownerOf(store) as Owner, undefined);
  await held.renew(objects, 1n, AbortSignal.timeout(60_000));
  clock.advance(TTL_MS - 1);
  expect(held.mayBegin).not.toThrow();
  clock.advance(1);
  expect(held.mayBegin).toThrow(/the lease was not renewed for 30s/);
});

test('a machine that was suspended does not hold a lease whose time has passed by its wall clock', async () => {
  const clock = new StoppedClock();
  let suspendedMs = 0;
  const wall = clock.now.bind(clock);
  clock.now = () => wall() + suspendedMs;
  const first = await holder({ clock });
  expect(first.uploader.state).toBe('streaming');
  suspendedMs = TTL_MS;
  const before = ownerOf(first.store)?.lease?.renewals ?? 0;
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
  expect(ownerOf(first.store)?.lease?.renewals).toBeGreaterThan(before);
});

test('without the destination for longer than the lease nothing is sent, and then it is taken again', async () => {
  const server = unreachable();
  const first = await holder({ objects: server.objects });
  const { store } = first;
  const before = filesIn(store);
  server.isDown = true;
  first.later(TTL_MS);
  first.staged.commit();
  await first.until('it has failed', () => hasFailed(first, 'REPLICA_UNAVAILABLE'));
  expect(filesIn(store)).toEqual(before);
  server.isDown = false;
  expect(await first.drained()).toBe('complete');
  expect(first.needs).toEqual([]);
  expect(ownerOf(store)).toMatchObject({ host: 'first', epoch: 1 });
});

test('a renewal whose answer was lost does not end the lease', async () => {
  let isLost = false;
  const first = await holder({
    objects: (server) => ({
      put: async (...given) => {
        const written = await server.put(...given);
        if (!isLost) return written;
        isLost = false;
        throw refusal('REPLICA_UNAVAILABLE');
      },
    }),
  });
  isLost = true;
  const before = ownerOf(first.store)?.lease?.renewals ?? 0;
  first.later(TTL_MS / 3);
  await first.until('the answer is lost', () => !isLost);
  await first.until('it says so', () => /could not be renewed/.test(first.messages.join()));
  first.later(TTL_MS / 3);
  await vi.waitFor(() => expect(ownerOf(first.store)?.lease?.renewals).toBeGreaterThan(before + 1));
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
  expect(first.messages.join('\n')).toMatch(/the lease is renewed again/);
});

test('"take over" takes a lease that is held, and its holder stops', async () => {
  const first = await holder();
  const second = waiter(first.store, { owner: { foreign: 'take over' } });
  expect(await second.drained()).toBe('complete');
  const before = filesIn(first.store);
  first.staged.commit();
  first.clock.advance(TTL_MS / 3);
  first.uploader.wake();
  await first.until('it has stopped', () => isRefused(first));
  expect(filesIn(first.store).length).toBeLessThanOrEqual(before.length + 1);
  expect(await second.drained()).toBe('complete');
  await second.expectRestored();
});

test('only one of several waiting replicators gets the lease', async () => {
  const first = await holder();
  const { store } = first;
  const others = [waiter(store), waiter(store), waiter(store)];
  for (const each of others) await each.until('it waits', () => isRefused(each));
  await first.uploader.close(END);
  const one = (): Scene[] => others.filter(({ uploader }) => uploader.state === 'streaming');
  await (others[0] as Scene).until('one of them has it', () => one().length > 0);
  const [taker] = one();
  for (const each of others) {
    if (each === taker) continue;
    each.uploader.wake();
    await each.until('it waits again', () => isRefused(each));
  }
  expect(one()).toHaveLength(1);
  await taker?.expectRestored();
});

test('a replicator that does not wait is told that another one holds the lease', async () => {
  const first = await holder();
  const told: Error[] = [];
  const second = waiter(first.store, { owner: { onHeld: (error) => void told.push(error) } });
  await second.until('it is told', () => told.length > 0);
  expect(told[0]).toMatchObject({ code: 'REPLICA_IN_USE' });
  expect(told[0]?.message).toMatch(/app\.db on first .*holds a lease of 30s.*-take-over/);
});

test('the next run of the same database waits for a lease that was not released, and for no other', async () => {
  const { staged, store, uploader, record, clock } = await holder();
  await uploader.close(END);
  const next = replicator('first', { staged, store, record, clock });
  staged.commit();
  expect(await next.drained()).toBe('complete');
  expect(next.needs).toEqual([]);
  expect(next.uploader.listings).toBe(1); // nobody else can have written
  const owner = ownerOf(store) as Owner; // held: it is not released
  const crashed = new MemoryStore();
  for (const [key, object] of store.objects) crashed.objects.set(key, object);
  const run = '00000000000000ff';
  crashed.put(OWNER_KEY, Buffer.from(formatOwner({ ...owner, run })), { modifiedAt: new Date() });
  const later = replicator('first', { staged, store: crashed, record: next.record });
  await later.until('it waits', () => isRefused(later));
  const ends = later.uploader.drain(staged.head, 1_000, 5, 'wait');
  later.clock.advance(TTL_MS);
  expect(await ends).toBe('complete');
  expect(later.needs).toEqual([]);
});

test.for([
  ['no conditions', {}],
  ['conditions for new objects only', { conditions: 'any-size' }],
] as const)('a destination with %s refuses the lease, and nothing is sent', async ([, claimed]) => {
  const scene = replicator('first', {
    capabilities: { ranges: true, deleteMax: 1_000, ...claimed },
  });
  await scene.until('it has failed', () => hasFailed(scene, 'REPLICA_UNSUPPORTED'));
  expect(scene.uploader.health.lastError).toMatchObject({
    code: 'REPLICA_UNSUPPORTED',
    message: expect.stringMatching(/hold a lease.*Set lease\.ttl to 0/) as string,
  });
  expect([...scene.store.objects.keys()]).toEqual([]);
});

test('a server that ignores conditions refuses the lease, and nothing is sent', async () => {
  const scene = replicator('first', {
    objects: (server) => ({
      put: async (name, bytes, { signal } = {}) => await server.put(name, bytes, { signal }),
    }),
  });
  await scene.until('it has failed', () => hasFailed(scene, 'REPLICA_UNSUPPORTED'));
  expect(scene.uploader.health.lastError).toMatchObject({
    code: 'REPLICA_UNSUPPORTED',
    message: expect.stringMatching(/ignores conditions on versions/) as string,
  });
  expect(filesIn(scene.store)).toEqual([]);
});

test('a holder whose owner object was removed holds the lease again', async () => {
  const first = await holder();
  first.store.objects.delete(OWNER_KEY);
  first.later(TTL_MS / 3);
  await vi.waitFor(() => expect(ownerOf(first.store)?.lease?.state).toBe('held'));
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
});
