/** Merged files at a destination: beside level 0, in place of it, and after a restart. */

import { describe, expect, test } from 'vitest';
import { systemFiles } from '../../src/file-system.ts';
import type { StagedMerge } from '../../src/replicate/levels/merge-files.ts';
import { SentRecords } from '../../src/replicate/record.ts';
import { merge } from './merge.ts';
import { refusal, Scene, Staged, writing } from './scene.ts';

function commits(staged: Staged, count: number): void {
  for (let commit = 0; commit < count; commit++) staged.commit();
}

/** A destination with the image 1 and increments 2 to 4, and 50 more staged; 2 to 40 are merged. */
async function farBehind(): Promise<{ first: Scene; merged: StagedMerge }> {
  const first = new Scene();
  first.staged.image();
  commits(first.staged, 3);
  first.start();
  expect(await first.drained()).toBe('complete');
  await first.uploader.close(new Error('stopped'));
  commits(first.staged, 50);
  const merged = await merge(first.staged, 2, 40);
  first.staged.backlog.release(40n);
  return { first, merged };
}

const NO_LEVEL_ZERO = writing((file, body, options, client) => {
  if (file.level === 0) throw refusal('REPLICA_UNAVAILABLE');
  return client.writeFile(file, body, options);
});

test('a destination with a longer sync interval gets merged files, once in an interval', async () => {
  const scene = new Scene({ syncIntervalMs: 60_000 }).start();
  const { staged, uploader } = scene;
  staged.image();
  commits(staged, 3);
  uploader.wake();
  await scene.until('the first round has sent level 0', () => uploader.replicatedTXID === 4n);
  commits(staged, 16);
  uploader.wake();
  scene.merges = [await merge(staged, 2, 18)];
  scene.later(59_999);
  expect(uploader.releasableTXID).toBe(18n);
  scene.later(1);
  await scene.until('the second round is over', () => uploader.topOf(0) === 19n);
  const sent = ['0/1-1', '0/2-2', '0/3-3', '0/4-4', '0/19-19', '1/2-18', '9/1-1'];
  expect(await scene.names()).toEqual(sent);
  scene.later(59_999);
  expect(await scene.drained()).toBe('complete'); // an end does not wait for the interval
  expect(await scene.names()).toEqual([...sent.slice(0, 5), '0/20-20', ...sent.slice(5)]);
  await scene.expectRestored();
});

test('a merged file is sent once level 0 has everything in it', async () => {
  const scene = new Scene();
  scene.staged.image();
  commits(scene.staged, 5);
  scene.merges = [await merge(scene.staged, 2, 4)];
  scene.start();
  expect(await scene.drained()).toBe('complete');
  await scene.until('level 1 is there', () =>
    [...scene.store.objects.keys()].some((key) => key.includes('/ltx/1/')),
  );
  expect((await scene.names()).slice(-2)).toEqual(['1/2-4', '9/1-1']);
  expect(scene.recorded.at(-1)?.txid).toBe(6n); // level 0 counts
});

test('a destination gets no merged file from before its full snapshot, also after a restart', async () => {
  // The staging folder was lost, and TXID 1 to 4 were used again before this destination was listed.
  const foreign = new Scene();
  foreign.staged.image();
  foreign.staged.commit();
  expect(await foreign.start().drained()).toBe('complete');
  const { store } = foreign;
  await foreign.uploader.close(new Error('its disk died'));
  const staged = new Staged(0x900n);
  staged.image();
  commits(staged, 3);
  const early = { ...(await merge(staged, 2, 3)), level: 2 };
  staged.takeSnapshot();
  const scene = new Scene({ store, staged });
  scene.merges = [early];
  expect(await scene.start().drained()).toBe('complete');
  expect(scene.record?.since).toBe(4n);
  await scene.uploader.close(new Error('stopped'));
  const again = new Scene({ store, staged, record: scene.record });
  again.merges = [early];
  staged.commit();
  expect(await again.start().drained()).toBe('complete');
  expect(again.record).toMatchObject({ txid: 5n, since: 4n });
  await again.until('level 1 is there', () => again.uploader.topOf(1) === 4n); // the full snapshot
  expect(again.uploader.topOf(2)).toBe(0n);
});

test('a level that lost a file gets the next full snapshot of any destination, after level 9 has it', async () => {
  const written: string[] = [];
  const server = writing(async (file, body, options, client) => {
    const info = await client.writeFile(file, body, options);
    if (file.level > 0) written.push(`${file.level}/${file.minTXID}-${file.maxTXID}`);
    return info;
  });
  const scene = new Scene({ server });
  scene.staged.image();
  commits(scene.staged, 7);
  scene.merges = [await merge(scene.staged, 2, 3)];
  scene.start();
  await scene.until('level 1 is there', () => written.includes('1/2-3'));
  scene.merges = [await merge(scene.staged, 6, 7)];
  scene.staged.takeSnapshot({ intervalMs: 1, earlyMs: 0 });
  expect(await scene.drained()).toBe('complete');
  await scene.until('level 1 is repaired', () => written.includes('1/4-8'));
  expect(scene.staged.snapshot && scene.uploader.lacksSnapshot(scene.staged.snapshot)).toBe(false);
  expect(written).toEqual(['9/1-1', '1/2-3', '9/1-8', '1/4-8']);
});

describe('a destination that is far behind', () => {
  test('gets the merged file, then the rest of level 0', async () => {
    const { first, merged } = await farBehind();
    const scene = new Scene({ staged: first.staged, store: first.store, record: first.record });
    scene.merges = [merged];
    expect(scene.uploader.releasableTXID).toBe(0n); // not listed yet
    scene.start();
    expect(await scene.drained()).toBe('complete');
    const names = await scene.names();
    expect(names).toContain('1/2-40');
    expect(names.filter((name) => name.startsWith('0/'))).toHaveLength(4 + 14);
    expect(scene.needs).toEqual([]);
    await scene.expectRestored();
  });

  test('that stops after the merged file is known as ours, by the record or by the staged file', async () => {
    for (const known of ['record', 'staged file', 'nothing'] as const) {
      const { first, merged } = await farBehind();
      const second = new Scene({
        staged: first.staged,
        store: first.store,
        record: first.record,
        server: NO_LEVEL_ZERO,
      });
      second.merges = [merged];
      second.start();
      await second.until('the merged file counts', () => second.uploader.replicatedTXID === 40n);
      await second.uploader.close(new Error('stopped'));
      expect(second.record).toMatchObject({ txid: 40n, merged: { level: 1, minTXID: 2n } });
      const record = known === 'record' ? second.record : first.record;
      const third = new Scene({ staged: first.staged, store: first.store, record });
      third.merges = known === 'staged file' ? [merged] : [];
      third.start();
      expect(await third.drained(), known).toBe('complete');
      const isOurs = known !== 'nothing';
      expect(third.needs.length === 0, known).toBe(isOurs);
      await third.expectRestored();
    }
  });

  test('that refuses the merged file gets a full snapshot', async () => {
    const { first, merged } = await farBehind();
    const server = writing((file, body, options, client) => {
      if (file.maxTXID === 40n) throw refusal();
      return client.writeFile(file, body, options);
    });
    const scene = new Scene({
      staged: first.staged,
      store: first.store,
      record: first.record,
      server,
    });
    scene.merges = [merged];
    scene.start();
    expect(await scene.drained(10_000)).toBe('complete');
    expect(scene.needs).toContain('needs-snapshot');
    expect(scene.uploader.levelFailure?.code).toBe('REPLICA_PERMISSION_DENIED');
    await scene.expectRestored();
  });
});

test('a drain is complete only when the newest file of level 0 follows a merged file', async () => {
  const first = new Scene();
  first.staged.image();
  first.start();
  expect(await first.drained()).toBe('complete');
  await first.uploader.close(new Error('stopped'));
  commits(first.staged, 50);
  const merged = await merge(first.staged, 2, 51);
  first.staged.backlog.release(51n); // the newest one stays
  const scene = new Scene({ staged: first.staged, store: first.store, record: first.record });
  scene.merges = [merged];
  scene.start();
  expect(await scene.drained()).toBe('complete');
  expect(await scene.names()).toEqual(['0/1-1', '0/51-51', '1/2-51', '9/1-1']);
  expect(scene.record).toMatchObject({ txid: 51n });
  expect(scene.record?.merged).toBeUndefined();
});

test('a level that lost files gets the next full snapshot, from its end on', async () => {
  const scene = new Scene();
  scene.staged.image();
  commits(scene.staged, 14);
  scene.merges = [await merge(scene.staged, 2, 5)];
  scene.start();
  expect(await scene.drained()).toBe('complete');
  const has = async (name: string): Promise<boolean> => (await scene.names()).includes(name);
  await expect.poll(() => has('1/2-5')).toBe(true);
  scene.merges = [await merge(scene.staged, 8, 12)];
  scene.staged.takeSnapshot();
  scene.uploader.wake();
  await expect.poll(() => has('1/6-15')).toBe(true);
  expect(await scene.names()).toContain('9/1-15');
  expect(await scene.names()).not.toContain('1/8-12');
  await scene.expectRestored();
});

test('the record keeps the level of a merged file', async () => {
  const { folder } = new Staged();
  const records = new SentRecords(folder, systemFiles);
  const sent = { txid: 40n, sizeBytes: 9, checksum: 'f'.repeat(16), lineage: 3n };
  records.set('a', { ...sent, merged: { level: 2, minTXID: 7n } });
  records.set('b', sent);
  await records.save();
  const loaded = new SentRecords(folder, systemFiles);
  await loaded.load();
  expect(loaded.get('a')).toEqual({ ...sent, merged: { level: 2, minTXID: 7n } });
  expect(loaded.get('b')).toEqual(sent);
});
