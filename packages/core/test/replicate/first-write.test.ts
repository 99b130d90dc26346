/** What is acknowledged was seen: the first file that a process writes to a place is listed back. */

import { describe, expect, test } from 'vitest';
import { Replica, type ReplicaFiles } from '../../src/replica/replica.ts';
import { memoryClient } from '../../src/store/memory.ts';
import { Scene, writing, type Server } from './scene.ts';

const HOUR_MS = 3_600_000;

describe('the first file is listed back before it counts', () => {
  /** Takes every file, and keeps it under another name. */
  function tidying(): { server: Server; other: ReplicaFiles; mend: () => void } {
    const other = new Replica(memoryClient(), 'elsewhere');
    let isMended = false;
    const server = writing((file, body, options, client) =>
      (isMended ? client : other).writeFile(file, body, options),
    );
    return { server, other, mend: () => (isMended = true) };
  }

  test('a server that keeps it under another name gets nothing more, and that is said', async () => {
    const { server, other } = tidying();
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

  test('a listing that lags is waited for, and the file is not sent twice', async () => {
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
    expect(writes).toBe(2); // the second one asks whether conditions are honoured
    isListed = true;
    expect(await scene.drained()).toBe('complete');
    expect(writes).toBe(3); // the snapshot
    expect(scene.recorded.map(({ txid }) => txid)).toEqual([1n]);
    await scene.expectRestored();
  });

  test('a file that stays away is written again after a while, and the destination heals', async () => {
    const { server, mend } = tidying();
    const scene = new Scene({ server });
    scene.staged.image();
    scene.start();
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    mend();
    const drain = scene.drained(HOUR_MS);
    await scene.until('it looks again', () => scene.messages.length > 4);
    expect(await scene.names()).toEqual([]);
    scene.later(600_000);
    expect(await drain).toBe('complete');
    await scene.expectRestored();
  });

  test('it costs one listing, and a file of another size is not the one that was sent', async () => {
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
