/** Two queues of one destination plan the same file. */

import { expect, test } from 'vitest';
import type { EncryptionKeys } from '../../src/encryption/age.ts';
import { newKeys } from '../encryption/keys.ts';
import { isFile, refusal, Scene, type Staged, writing, type Server } from './scene.ts';
import { merge } from './merge.ts';

/** A server whose first write of one file begins, and ends or fails when the test lets it. */
class SlowFile {
  readonly began: Promise<void>;
  readonly end: () => void;
  readonly fail: (error: Error) => void;
  readonly server: Server;

  constructor(level: number, max: number) {
    const begin = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    this.began = begin.promise;
    this.end = end.resolve;
    this.fail = end.reject;
    let isFirst = true;
    this.server = writing(async (file, body, options, client) => {
      if (isFirst && isFile(file, level, max)) {
        isFirst = false;
        begin.resolve();
        await end.promise;
      }
      return await client.writeFile(file, body, options);
    });
  }
}

/** Lets the queues do what they can do while the slow file is written. */
async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((done) => setImmediate(done));
}

function commits(staged: Staged, count: number): void {
  for (let commit = 0; commit < count; commit++) staged.commit();
}

// Its name is that of the merged file, or another one.
test.for([4, 5])(
  'a merged file that is freed while it is sent is not replaced by the full snapshot %i',
  async (snapshot) => {
    const slow = new SlowFile(1, 4);
    const scene = new Scene({ server: slow.server }).start();
    const { staged, uploader } = scene;
    staged.image();
    commits(staged, snapshot - 1);
    staged.takeSnapshot();
    scene.merges = [await merge(staged, 2, 3), await merge(staged, 4, 4)];
    expect(await scene.drained()).toBe('complete');
    await slow.began;
    await scene.until('it is there', () => uploader.newestSnapshot?.txid === BigInt(snapshot));
    commits(staged, 1);
    scene.merges = [await merge(staged, 5, snapshot + 1)]; // 4 is freed, because there is no room
    expect(await scene.drained()).toBe('complete');
    await someTurns();
    slow.end();
    await scene.until('level 1 continues', () => uploader.topOf(1) === staged.head);
    expect(uploader.health.lastError).toBeUndefined();
    expect(scene.needs).toEqual([]);
    const above = (await scene.names()).filter((name) => !name.startsWith('0/'));
    expect(above).toEqual(['1/2-3', '1/4-4', `1/5-${staged.head}`, '9/1-1', `9/1-${snapshot}`]);
    await scene.expectRestored();
  },
);

/** A merged file is being sent. Then the destination falls so far behind that it gets merged files first. */
async function fallenBehind(slow: SlowFile, keys?: EncryptionKeys): Promise<Scene> {
  const scene = new Scene({ server: slow.server, ...(keys && { keys }) }).start();
  const { staged, uploader } = scene;
  staged.image();
  commits(staged, 3);
  expect(await scene.drained()).toBe('complete');
  const first = await merge(staged, 2, 4);
  scene.merges = [first];
  uploader.wake();
  await slow.began;
  commits(staged, 40);
  scene.merges = [first, await merge(staged, 5, 40)];
  uploader.wake();
  await someTurns();
  return scene;
}

test('a merged file is not sent by two queues at once', async () => {
  const slow = new SlowFile(1, 4);
  const { writer, reader } = await newKeys(); // each encryption of a file gives other bytes
  const scene = await fallenBehind(slow, writer);
  slow.end();
  expect(await scene.drained()).toBe('complete');
  expect(scene.uploader.health.lastError).toBeUndefined();
  expect(scene.needs).toEqual([]);
  const names = await scene.names();
  expect(names.filter((name) => name.startsWith('1/'))).toEqual(['1/2-4', '1/5-40']);
  await scene.expectRestored(scene.reader(reader));
});

test('a queue waits for the write of another one only until that has failed', async () => {
  const slow = new SlowFile(1, 4);
  const scene = await fallenBehind(slow);
  slow.fail(refusal('REPLICA_UNAVAILABLE'));
  // The queue of merged files waits for the stopped clock. The other one goes on without it.
  await scene.until('level 1 is there', () => scene.uploader.topOf(1) === 40n);
  expect(scene.needs).toEqual([]);
  expect(await scene.drained()).toBe('complete');
  await scene.expectRestored();
});
