/** A caller who may have mended a destination, or doubts it, has it listed at once. */

import { expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import type { DestinationState } from '../../../src/replicate/destination/admission.ts';
import { Durability } from '../../../src/replicate/durable/durability.ts';
import { Wakeup } from '../../../src/replicate/waits.ts';
import { Bucket, startPlace } from './place.ts';

const TXID = 5n;

/** A destination that has failed for a minute, and is mended by `mend`. */
class Scene {
  state: DestinationState = 'failing';
  retries = 0;
  listings = 3;
  passedMs = 0;
  readonly #changed = new Wakeup();
  readonly durability: Durability;

  /** `replicatedTXID`: what it had before it failed. */
  constructor({ replicatedTXID }: { readonly replicatedTXID?: bigint } = {}) {
    const health = { lastError: { message: 'the server is down' } };
    const uploader = (): object => ({
      name: 'far',
      state: this.state,
      replicatedTXID: this.state === 'failing' ? replicatedTXID : TXID,
      activity: { failingMs: this.state === 'failing' ? 60_000 : 0, stalledMs: 0 },
      health,
      listings: this.listings,
      retryNow: () => (this.retries += 1),
    });
    this.durability = new Durability({
      path: '/data/app.db',
      sync: async () => await Promise.resolve(TXID),
      expectSync: () => undefined,
      uploaders: () => [uploader() as never],
      backlog: { newest: undefined },
      condition: { error: undefined },
      changed: this.#changed,
      clock: { ...systemClock, monotonic: () => systemClock.monotonic() + this.passedMs },
    });
  }

  /** Resolves when its waiters have looked at the destination since. */
  async look(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) {
      this.#changed.notify();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async mend(): Promise<void> {
    this.state = 'streaming';
    this.listings += 1;
    await this.look();
  }
}

const LOST = { code: 'NOT_DURABLE', durable: { reason: 'lost' } };

test('without that, a destination that fails is lost, and its pause goes on', async () => {
  const scene = new Scene();
  await expect(scene.durability.durable()).rejects.toMatchObject(LOST);
  expect(scene.retries).toBe(0);
});

test('it is tried once, and waited for', async () => {
  const scene = new Scene();
  const waiting = scene.durability.durable({ retry: 'now' });
  await scene.look();
  expect(scene.retries).toBe(1);
  await scene.mend();
  expect(await waiting).toEqual({ txid: '0000000000000005', destinations: ['far'] });
});

test('a destination that has everything counts only once it was listed again', async () => {
  const scene = new Scene();
  scene.state = 'streaming';
  const report = { txid: '0000000000000005', destinations: ['far'] };
  expect(await scene.durability.durable()).toEqual(report);
  let isOver = false;
  const waiting = scene.durability.durable({ retry: 'now' }).finally(() => (isOver = true));
  await scene.look();
  expect([scene.retries, isOver]).toEqual([1, false]);
  await scene.mend();
  expect(await waiting).toEqual(report);
});

test('what somebody has deleted is sent again before it is called durable', async () => {
  const bucket = new Bucket('a');
  const { database, insert } = await startPlace(bucket);
  insert('x');
  await database.durable();
  await bucket.empty();
  expect(await database.durable({ retry: 'now' })).toMatchObject({ destinations: ['a'] });
  expect(await bucket.restoredValues()).toEqual(['x']);
});

test('one that cannot be listed is lost, although it had everything', async () => {
  const scene = new Scene({ replicatedTXID: TXID });
  expect(await scene.durability.durable()).toMatchObject({ destinations: ['far'] });
  const waiting = expect(scene.durability.durable({ retry: 'now' })).rejects.toMatchObject({
    ...LOST,
    durable: { have: [], lack: [{ name: 'far', state: 'failing' }] },
  });
  scene.passedMs = 10_001;
  await scene.look();
  await waiting;
});

test('it is not waited for much longer than a try takes', async () => {
  const scene = new Scene();
  const waiting = expect(
    scene.durability.durable({ retry: 'now', timeoutMs: Infinity }),
  ).rejects.toMatchObject(LOST);
  scene.passedMs = 10_001;
  await scene.look();
  await waiting;
});
