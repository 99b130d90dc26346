/** The first file that a process writes to a destination must be listed before anything counts as sent. */

import { describe, expect, test } from 'vitest';
import { Replica, type ReplicaFiles } from '../../src/replica/replica.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { Scene, writing, type Server } from './scene.ts';

const HOUR_MS = 3_600_000;

describe('the first file must be listed before it counts', () => {
  /** Accepts every file, but stores it under another name. */
  function renamingServer(): { server: Server; other: ReplicaFiles; repair: () => void } {
    const other = new Replica(memoryClient(), 'elsewhere');
    let isRepaired = false;
    const server = writing((file, body, options, client) =>
      (isRepaired ? client : other).writeFile(file, body, options),
    );
    return { server, other, repair: () => (isRepaired = true) };
  }

  test('a server that stores it under another name gets no more files, and the error is reported', async () => {
    const { server, other } = renamingServer();
    const scene = new Scene({ server });
    scene.staged.image();
    scene.staged.commit();
    scene.start();
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    expect(scene.uploader.health.lastError?.code).toBe('REPLICA_NOT_LISTED');
    expect(scene.messages.join()).toMatch(
      /nothing there counts as replicated; check that the path/,
    );
    expect(scene.uploader.replicatedTXID).toBeUndefined();
    expect(scene.uploader.releasableTXID).toBe(0n);
    expect(scene.recorded).toEqual([]);
    const drain = scene.drained(100);
    scene.later(100);
    expect(await drain).toBe('behind');
    const there = await Array.fromAsync(other.listFiles('all'));
    expect(there.map(({ level, maxTXID }) => `${level}/${maxTXID}`)).toEqual(['0/1']); // looked for, not sent again
  });

  test('a lagging listing is waited for, and the file is not sent twice', async () => {
    let isListed = false;
    let writes = 0;
    const server: Server = (client) => ({
      ...writing((file, body, options) => {
        writes += 1;
        return client.writeFile(file, body, options);
      })(client),
      async *listFiles(level, options) {
        if (isListed || level === 'all') yield* client.listFiles(level, options);
      },
    });
    const scene = new Scene({ server });
    scene.staged.image();
    scene.start();
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    expect(writes).toBe(2); // the second one verifies conditional writes
    isListed = true;
    expect(await scene.drained()).toBe('complete');
    expect(writes).toBe(3); // the snapshot
    expect(scene.recorded.map(({ txid }) => txid)).toEqual([1n]);
    await scene.expectRestored();
  });

  test('a file that never appears is written again after a while, and the destination recovers', async () => {
    const { server, repair } = renamingServer();
    const scene = new Scene({ server });
    scene.staged.image();
    scene.start();
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    repair();
    const drain = scene.drained(HOUR_MS);
    await scene.until('it looks again', () => scene.messages.length > 4);
    expect(await scene.names()).toEqual([]);
    scene.later(600_000);
    expect(await drain).toBe('complete');
    await scene.expectRestored();
  });

  test.for(['at once', 'after an error'])(
    'a first listing that showed nothing is not believed: seen %s',
    async (when) => {
      let listings = 0;
      const isStale = (level: number | 'all'): boolean => {
        listings += 1;
        return level === 'all' ? listings === 1 : when === 'after an error' && listings === 2;
      };
      const server: Server = (client) => ({
        ...writing((file, body, options) => client.writeFile(file, body, options))(client),
        async *listFiles(level, options) {
          if (!isStale(level)) yield* client.listFiles(level, options);
        },
      });
      const before = new Scene().start();
      before.staged.image(17n);
      before.staged.commit();
      expect(await before.drained()).toBe('complete');
      const scene = new Scene({ server, store: before.store });
      scene.staged.image();
      scene.start();
      await scene.until('it knows of the others', () => scene.uploader.holdings.highest >= 19n);
      expect(scene.uploader.replicatedTXID ?? 20n).toBe(20n);
      await scene.until('an image is above them', () => scene.uploader.replicatedTXID === 20n);
      await scene.expectRestored();
    },
  );

  test('it costs one listing, and a file of another size does not count', async () => {
    const asked: unknown[] = [];
    const server: Server = (client) => ({
      ...writing((file, body, options) => client.writeFile(file, body, options))(client),
      async *listFiles(level, options) {
        asked.push(level);
        yield* client.listFiles(level, options);
      },
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    for (let commit = 0; commit < 5; commit++) scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    expect(asked).toEqual(['all', 0]);

    const short: Server = (client) => ({
      ...server(client),
      async *listFiles(level, options) {
        for await (const file of client.listFiles(level, options)) {
          yield { ...file, sizeBytes: file.sizeBytes - 1 };
        }
      },
    });
    const other = new Scene({ server: short }).start();
    other.staged.image();
    other.uploader.wake();
    await other.until('it fails', () => other.uploader.state === 'failing');
    expect(other.uploader.health.lastError?.message).toMatch(
      /is listed with \d+ bytes, but \d+ were/,
    );
  });
});
