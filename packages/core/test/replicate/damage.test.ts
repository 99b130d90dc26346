/** Sent files that are deleted or replaced are detected, reported, and repaired with a full snapshot. */

import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/error.ts';
import { refusal, Scene, writing, type Server } from './scene.ts';

const HOUR_MS = 3_600_000;

describe('deleted or replaced files are detected, reported and repaired', () => {
  async function settled(): Promise<Scene> {
    const scene = new Scene().start();
    scene.staged.image();
    for (let commit = 0; commit < 5; commit++) scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    expect(await scene.names()).toEqual([
      '0/1-1',
      '0/2-2',
      '0/3-3',
      '0/4-4',
      '0/5-5',
      '0/6-6',
      '9/1-1',
    ]);
    return scene;
  }
  const DAMAGES: readonly [string, (scene: Scene) => void, RegExp][] = [
    ['a gap', (scene) => scene.remove(0, 4), /TXID 0{15}4 is missing after 0{15}3/],
    [
      'a missing full snapshot',
      (scene) => {
        scene.remove(0, 1);
        scene.remove(9, 1);
      },
      /its full snapshot is missing/,
    ],
    [
      'an older copy',
      (scene) => {
        for (const txid of [4, 5, 6]) scene.remove(0, txid);
      },
      /it ends with TXID 0{15}3, but TXID 0{15}6 was sent there/,
    ],
    [
      'an emptied destination',
      (scene) => scene.store.objects.clear(),
      /it is empty, but TXID 0{15}6 was sent there/,
    ],
  ];

  test.for(DAMAGES)('%s, within an hour while it runs', async ([, damage, words]) => {
    const scene = await settled();
    damage(scene);
    scene.later(HOUR_MS - 1);
    await new Promise(setImmediate);
    expect(scene.uploader.state).toBe('streaming');
    scene.later(1);
    await scene.until('it is noticed', () => scene.uploader.replicatedTXID === undefined);
    expect(scene.uploader.holdings.why).toMatch(words);
    expect(await scene.drained()).toBe('complete');
    expect(scene.messages.filter((message) => words.test(message))).toHaveLength(1);
    expect(scene.uploader.state).toBe('streaming');
    await scene.expectRestored();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    await scene.expectRestored();
  });

  const RESIZED: readonly [string, (scene: Scene) => void][] = [
    ['an increment', (scene) => scene.cutShort(0, 4)],
    ['the newest file', (scene) => scene.cutShort(0, 6)],
    [
      'a full snapshot',
      (scene) => {
        scene.cutShort(0, 1);
        scene.cutShort(9, 1);
      },
    ],
  ];

  test.for(RESIZED)('%s that was cut short, within an hour', async ([, damage]) => {
    const scene = await settled();
    damage(scene);
    scene.staged.commit(); // continues, because nothing was listed yet
    expect(await scene.drained()).toBe('complete');
    scene.later(HOUR_MS);
    await scene.until('it is noticed', () => scene.uploader.replicatedTXID === undefined);
    const words = /the size of level 0 0{15}\d-0{15}\d\.ltx has changed from \d+ to \d+ bytes/;
    expect(scene.uploader.holdings.why).toMatch(words);
    expect(await scene.drained()).toBe('complete');
    await scene.expectRestored();
    for (let hours = 0; hours < 2; hours++) {
      scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      scene.later(HOUR_MS);
      await scene.until('it is listed again', () => scene.uploader.listings === 3 + hours);
    }
    expect(scene.messages.filter((message) => words.test(message))).toHaveLength(1);
    await scene.expectRestored();
  });

  test('a file that was cut short but is not needed for the newest state causes nothing', async () => {
    const scene = await settled();
    scene.cutShort(9, 1);
    scene.later(HOUR_MS);
    await scene.until('it is listed again', () => scene.uploader.listings === 2);
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.holdings.why).toBeUndefined();
    await scene.expectRestored();
  });

  test.for(DAMAGES)('%s, at the next start', async ([, damage, words]) => {
    const first = await settled();
    await first.uploader.close(new Error('a restart'));
    damage(first);
    const { staged, store, record } = first;
    const second = new Scene({ staged, store, record }).start();
    expect(await second.drained()).toBe('complete');
    expect(second.messages.filter((message) => words.test(message))).toHaveLength(1);
    await second.expectRestored();
  });

  test('its state is damaged until a full snapshot is complete', async () => {
    const scene = await settled();
    scene.remove(0, 4);
    scene.staged.backlog.gate(scene.staged.head + 1n); // an image is being made, so none is requested
    scene.later(HOUR_MS);
    await scene.until('it is noticed', () => scene.uploader.state === 'damaged');
    expect(scene.uploader.releasableTXID).toBe(0n);
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.state).toBe('streaming');
    await scene.expectRestored();
  });

  test('files deleted while the database is still missing', async () => {
    const first = await settled();
    await first.uploader.close(new Error('a restart'));
    const { staged, store, record } = first;
    let listings = 0;
    const server: Server = (client) => ({
      ...writing((file, body, options) => client.writeFile(file, body, options))(client),
      async *listFiles(level, options) {
        yield* client.listFiles(level, options);
        if (level === 'all') listings += 1;
      },
    });
    const scene = new Scene({ staged, store, record, server });
    scene.isOpened = false;
    scene.start();
    await scene.until('it was listed', () => listings === 1);
    await new Promise(setImmediate);
    scene.remove(0, 4);
    scene.clock.advance(60_000);
    scene.isOpened = true;
    expect(await scene.drained()).toBe('complete');
    expect(listings).toBe(2);
    await scene.expectRestored();
  });

  test('files written during a listing are not forgotten', async () => {
    const listed = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    let snapshots = 0;
    const server: Server = (client) => ({
      ...writing(async (file, body, options) => {
        if (file.level === 9) snapshots += 1;
        return await client.writeFile(file, body, options);
      })(client),
      async *listFiles(level, options) {
        const files = await Array.fromAsync(client.listFiles(level, options));
        if (files.length > 2) {
          listed.resolve();
          await mayEnd.promise;
        }
        yield* files;
      },
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    scene.later(HOUR_MS);
    await listed.promise;
    scene.staged.takeSnapshot();
    scene.uploader.wake();
    await scene.until('the snapshot is there', () => scene.uploader.newestSnapshot?.txid === 2n);
    mayEnd.resolve();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    expect(snapshots).toBe(2);
    expect(scene.uploader.newestSnapshot?.txid).toBe(2n);
  });

  test('an unchanged destination is not sent any file again', async () => {
    const scene = await settled();
    const before = await scene.names();
    scene.later(HOUR_MS);
    await scene.until('it was listed', () => scene.uploader.listings === 2);
    expect(await scene.drained()).toBe('complete');
    expect(await scene.names()).toEqual(before);
    expect([scene.needs, scene.uploader.state]).toEqual([[], 'streaming']);
  });

  test.for<ErrorCode>(['REPLICA_DESTINATION_NOT_FOUND', 'REPLICA_NOT_FOUND', 'REPLICA_CHANGED'])(
    'after %s it is listed before anything is sent',
    async (code) => {
      let failuresLeft = 0;
      const server = writing(async (file, body, options, client) => {
        if (failuresLeft-- > 0) throw refusal(code);
        return await client.writeFile(file, body, options);
      });
      const scene = new Scene({ server }).start();
      scene.staged.image();
      scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      failuresLeft = 1;
      scene.remove(9, 1);
      scene.remove(0, 1);
      scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      expect(scene.uploader.listings).toBe(2);
      await scene.expectRestored();
    },
  );

  test.for<[string, ErrorCode, number, (scene: Scene) => void]>([
    ['an outage', 'REPLICA_UNAVAILABLE', 60_000, () => undefined],
    ['an unmounted disk', 'REPLICA_DESTINATION_NOT_FOUND', 0, () => undefined],
    ['a replaced disk', 'REPLICA_DESTINATION_NOT_FOUND', 0, (scene) => scene.store.objects.clear()],
  ])('%s in the middle of a seed', async ([, code, ms, act]) => {
    let isOut = false;
    const server = writing(async (file, body, options, client) => {
      if (isOut && file.level === 1) throw refusal(code);
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    isOut = true;
    scene.staged.image(9n); // a TXID gap: snapshot, seam, level 0
    const drain = scene.drained(HOUR_MS);
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    act(scene);
    scene.staged.backlog.release(9n);
    scene.later(ms);
    const { listings } = scene.uploader;
    await scene.until('it was listed', () => scene.uploader.listings > listings);
    isOut = false;
    expect(await drain).toBe('complete');
    expect(scene.needs).toEqual([]); // the image is still staged
    expect(await scene.names()).toContain('9/1-10');
    await scene.expectRestored();
  });

  test('after an outage it is listed before anything is sent: it may be another disk', async () => {
    let isOut = false;
    const server = writing(async (file, body, options, client) => {
      if (isOut) throw refusal('REPLICA_UNAVAILABLE');
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    isOut = true;
    scene.staged.commit();
    const drain = scene.drained(HOUR_MS);
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    scene.remove(9, 1);
    scene.remove(0, 1);
    scene.later(60_000);
    const { listings } = scene.uploader;
    await scene.until('it was listed', () => scene.uploader.listings > listings);
    isOut = false;
    expect(await drain).toBe('complete');
    await scene.expectRestored();
  });
});
