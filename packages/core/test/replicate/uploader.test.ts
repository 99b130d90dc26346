/** An uploader and its destination: taken names, refused snapshots, states. */

import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/error.ts';
import type { LTXFileRef } from '../../src/store/layout.ts';
import { bodyOf, bytesOf } from '../store/fixtures.ts';
import { isFile, refusal, Scene, Staged, writing, type Server } from './scene.ts';

const HOUR_MS = 3_600_000;

test('an increment is sent only after a file of its own lineage', async () => {
  const first = new Scene().start();
  first.staged.image();
  first.staged.commit();
  expect(await first.drained()).toBe('complete');
  await first.uploader.close(new Error('out of reach'));
  // The staging folder was lost: TXIDs started over, and 3 follows 2 only by number.
  const staged = new Staged(0x900n);
  staged.image();
  staged.commit();
  staged.commit();
  staged.backlog.release(2n);
  const { store, record } = first;
  const second = new Scene({ staged, store, record }).start();
  expect(await second.drained()).toBe('complete');
  expect(second.needs).toEqual(['needs-snapshot']);
  await second.expectRestored();
});

describe('a taken name', () => {
  test('that is not listed leads to a full snapshot above it', async () => {
    let conflicts = 0;
    const server = writing(async (file, body, options, client) => {
      if (!isFile(file, 0, 1)) return await client.writeFile(file, body, options);
      conflicts += 1;
      throw refusal('REPLICA_CONFLICT');
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    expect(conflicts).toBe(1);
    expect(scene.needs).toEqual(['needs-image']);
    expect(await scene.names()).toEqual(['0/2-2', '9/1-2']);
    await scene.expectRestored();
  });

  test('that recurs counts as one lasting failure, so a drain gives up', async () => {
    const server = writing(async () => await Promise.reject(refusal('REPLICA_CONFLICT')));
    const scene = new Scene({ server }).start();
    scene.staged.image();
    const drain = scene.drained(5_000);
    await scene.until('it has failed several times', () => scene.needs.length >= 3);
    expect(scene.uploader.health.lastError?.code).toBe('REPLICA_CONFLICT');
    scene.later(5_000);
    expect(await drain).toBe('behind');
  });

  test.for([0, 9])('at level %i is never replaced', async (level) => {
    const scene = new Scene().start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    const txid = scene.staged.commit();
    const theirs = { level, minTXID: level === 9 ? 1n : txid, maxTXID: txid } as LTXFileRef;
    await scene.client().writeFile(theirs, bodyOf(bytesOf(200)));
    if (level === 9) scene.staged.takeSnapshot();
    scene.uploader.wake();
    await scene.until('a full image is made', () => scene.needs.includes('needs-image'));
    expect(await scene.drained()).toBe('complete');
    expect((await scene.files()).find((file) => isFile(file, level, 2))?.sizeBytes).toBe(200);
    await scene.expectRestored();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    await scene.expectRestored();
  });

  test('is ours if the answer to our own write was lost: at level 0, a snapshot and a seam', async () => {
    const lost: string[] = [];
    const server = writing(async (file, body, options, client) => {
      const name = `${file.level}/${file.minTXID}-${file.maxTXID}`;
      const info = await client.writeFile(file, body, options);
      if (lost.includes(name)) return info;
      lost.push(name);
      throw refusal('REPLICA_UNAVAILABLE');
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    scene.remove(0, 1);
    scene.remove(9, 1);
    scene.later(HOUR_MS);
    await scene.until('it is damaged', () => scene.needs.length > 0);
    expect(await scene.drained()).toBe('complete');
    expect(lost).toEqual(['0/1-1', '9/1-1', '0/2-2', '9/1-2', '1/1-2']);
    expect(scene.needs).toEqual(['needs-snapshot']);
    await scene.expectRestored();
  });
});

test('files of every level are written only if they do not exist', async () => {
  const conditions: string[] = [];
  const server = writing(async (file, body, options, client) => {
    conditions.push(`${file.level} ${options?.condition}`);
    return await client.writeFile(file, body, options);
  });
  const scene = new Scene({ server }).start();
  scene.staged.image();
  expect(await scene.drained()).toBe('complete');
  scene.staged.commit();
  scene.staged.takeSnapshot();
  expect(await scene.drained()).toBe('complete');
  await scene.until('the snapshot is there', () => scene.uploader.newestSnapshot?.txid === 2n);
  scene.remove(0, 1);
  scene.remove(9, 1, 1);
  scene.remove(9, 1, 2);
  scene.later(HOUR_MS);
  await scene.until('it is damaged', () => scene.uploader.replicatedTXID === undefined);
  expect(await scene.drained()).toBe('complete');
  expect(new Set(conditions)).toEqual(new Set(['0 if-absent', '9 if-absent', '1 if-absent']));
});

describe('a destination that refuses snapshots', () => {
  const refusing = (code?: ErrorCode): Server =>
    writing(async (file, body, options, client) => {
      if (file.level === 9) throw refusal(code);
      return await client.writeFile(file, body, options);
    });

  test.for<ErrorCode>(['REPLICA_PERMISSION_DENIED', 'REPLICA_UNKNOWN'])(
    'with %s still gets level 0, needs no staged snapshot, and reports the error',
    async (code) => {
      const scene = new Scene({ server: refusing(code) }).start();
      scene.staged.image();
      for (let commit = 0; commit < 3; commit++) scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      expect(scene.uploader.replicatedTXID).toBe(4n);
      expect(scene.uploader.state).toBe('failing');
      expect(scene.uploader.snapshotRefusal?.code).toBe(code);
      await scene.expectRestored();
      scene.staged.takeSnapshot();
      scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      expect(scene.uploader.snapshotRefusal?.code).toBe(code);
      scene.staged.snapshot = undefined; // the others have it
      scene.staged.commit();
      expect(await scene.drained()).toBe('complete');
      expect(scene.uploader.state).toBe('failing');
    },
  );

  test('is not one that was down, however long', async () => {
    let condition: 'works' | 'down' | 'is slow' = 'works';
    let failures = 0;
    const { promise: sent, resolve: send } = Promise.withResolvers<undefined>();
    const server = writing(async (file, body, options, client) => {
      if (condition === 'down') {
        if (file.level === 9) failures += 1;
        throw refusal();
      }
      if (condition === 'is slow' && file.level === 9) await sent;
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    condition = 'down';
    scene.staged.takeSnapshot(); // of a state that is there
    scene.staged.commit();
    scene.uploader.wake();
    await scene.until('it would count as refused', () => failures >= 3);
    expect(scene.uploader.replicatedTXID).toBe(2n);
    condition = 'is slow';
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.snapshotRefusal).toBeUndefined();
    send(undefined);
    await scene.until('it recovers', () => scene.uploader.state === 'streaming');
  });

  test('is not one that is down while the database is idle', async () => {
    let isDown = false;
    let failures = 0;
    const server = writing(async (file, body, options, client) => {
      if (isDown) {
        failures += 1;
        throw refusal();
      }
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    isDown = true;
    scene.staged.takeSnapshot(); // nothing else is to be sent
    scene.uploader.wake();
    await scene.until('it would count as refused', () => failures >= 5);
    expect(scene.uploader.state).toBe('failing');
    expect(scene.uploader.snapshotRefusal).toBeUndefined();
    isDown = false;
    await scene.until('it recovers', () => scene.uploader.state === 'streaming');
    expect(await scene.names()).toContain('9/1-2');
  });

  test('is known once level 0 is accepted', async () => {
    let isRefusing = false;
    let failures = 0;
    const server = writing(async (file, body, options, client) => {
      if (isRefusing && file.level === 9) {
        failures += 1;
        throw refusal();
      }
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    isRefusing = true;
    scene.staged.takeSnapshot();
    scene.uploader.wake();
    await scene.until('it would count as refused', () => failures >= 3);
    expect(scene.uploader.snapshotRefusal).toBeUndefined();
    scene.staged.commit();
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.snapshotRefusal).toBeUndefined(); // it may have been down until now
    await scene.until('it is refused', () => scene.uploader.snapshotRefusal !== undefined);
    expect(scene.uploader.snapshotRefusal).toMatchObject({ txid: 2n });
  });

  test('recovers when it accepts one', async () => {
    let isRepaired = false;
    const server = writing(async (file, body, options, client) => {
      if (file.level === 9 && !isRepaired) throw refusal();
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    isRepaired = true;
    scene.staged.commit();
    scene.staged.takeSnapshot();
    expect(await scene.drained()).toBe('complete');
    await scene.until('it recovers', () => scene.uploader.state === 'streaming');
    expect(scene.uploader.snapshotRefusal).toBeUndefined();
  });

  test('recovers when it accepts one that level 0 needs', async () => {
    let isRepaired = false;
    const server = writing(async (file, body, options, client) => {
      if (file.level === 9 && !isRepaired) throw refusal();
      return await client.writeFile(file, body, options);
    });
    const scene = new Scene({ server }).start();
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.state).toBe('failing');
    isRepaired = true;
    scene.staged.image();
    expect(await scene.drained()).toBe('complete');
    await scene.until('it recovers', () => scene.uploader.state === 'streaming');
    expect(scene.uploader.activity.snapshotFailingMs).toBe(0);
  });
});

describe('the state of a destination', () => {
  test('is never streaming during a seed, even if a write fails once', async () => {
    const states: string[] = [];
    let writes = 0;
    const server = writing(async (file, body, options, client) => {
      states.push(scene.uploader.state);
      writes += 1;
      if (writes === 1) throw refusal('REPLICA_UNAVAILABLE');
      return await client.writeFile(file, body, options);
    });
    const scene: Scene = new Scene({ server });
    scene.staged.image();
    scene.start();
    expect(await scene.drained()).toBe('complete');
    expect(writes).toBeGreaterThan(2);
    expect(states[0]).toBe('seeding');
    expect(states).not.toContain('streaming');
    expect(scene.uploader.state).toBe('streaming');
  });

  test('stops being failing when it can be listed again, even if the database is still missing', async () => {
    let isDown = true;
    const server: Server = (client) => ({
      ...writing(async (file, body, options, inner) => inner.writeFile(file, body, options))(
        client,
      ),
      async *listFiles(level, options) {
        if (isDown) throw refusal('REPLICA_UNAVAILABLE');
        yield* client.listFiles(level, options);
      },
    });
    const scene = new Scene({ server });
    scene.isOpened = false;
    scene.start();
    await scene.until('it fails', () => scene.uploader.state === 'failing');
    expect(scene.uploader.hasReported).toBe(true);
    isDown = false;
    await scene.until('it is listed', () => scene.uploader.state === 'listing');
    expect(scene.messages).toContain('memory has recovered');
    expect(scene.uploader.hasReported).toBe(false); // not classified yet
    scene.staged.image();
    scene.isOpened = true;
    expect(await scene.drained()).toBe('complete');
    expect(scene.uploader.hasReported).toBe(true);
  });
});
